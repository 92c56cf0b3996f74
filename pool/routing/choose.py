"""Which worker, as a definition: among those near the best expected wait, the one that is owed most work.

This is the plain scan over everybody. `pool.routing.index` finds the same worker without looking at all of them, and
a test holds the two together.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from iamine.ids import WorkerId
from iamine.wire.messages import Value

NS = 1_000_000_000
BAND_S = 1.0
BAND_SHARE = 0.25
NEAR_TIE_NS = 30 * NS  # 5 % of the largest deficit: so much owed work is passed over for a cached prompt


class Ask(Value, frozen=True, kw_only=True):
    """What a job needs: expected tokens to read and to write, a file if the answer has begun, context, and whom to avoid."""

    prompt_tokens: int
    output_tokens: int
    file_sha256: str = ""
    least_context: int = 0
    avoid: frozenset[WorkerId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A worker with a free slot that may take the job. `deficit_ns`: nanoseconds of its own capacity that it is owed."""

    worker: WorkerId
    wait_s: float
    deficit_ns: int
    cached_tokens: int = 0


def band_s(best_s: float) -> float:
    """The longest expected wait that is as good as the best."""
    return best_s + max(BAND_S, BAND_SHARE * best_s)


def choose(candidates: Iterable[Candidate]) -> Candidate | None:
    """Of those in the band the largest deficit; the longest cached prefix breaks near-ties, then wait and name."""
    everybody = list(candidates)
    if not everybody:
        return None
    limit_s = band_s(min(one.wait_s for one in everybody))
    band = [one for one in everybody if one.wait_s <= limit_s]
    most = max(one.deficit_ns for one in band)
    near = [one for one in band if one.cached_tokens and one.deficit_ns >= most - NEAR_TIE_NS]
    return min(near or band, key=lambda one: (-one.cached_tokens if near else 0, -one.deficit_ns, one.wait_s, one.worker))
