"""What goes into the next step: decoding sequences first, then pieces of prompts, and which slot a job takes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_CHUNK_TOKENS = 1
LEAST_SHARED_TOKENS = 32  # fewer are read again: the copy is of a whole slot's memory
AIM = 0.5  # of the longest allowed step: a chunk sized for half of it stays under it on a busy machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A sequence that could go on: `pending` ids are not in the context yet; `decoding`: its prompt was read."""

    slot: int
    pending: int
    decoding: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """`count` ids of the sequence in `slot` go into this step; `complete`: all that it has, so a token follows."""

    slot: int
    count: int
    complete: bool


def plan_step(wants: Sequence[Want], *, batch_tokens: int, chunk_tokens: int) -> list[Take]:
    """Every decoding sequence that fits, then prompts in the given order while `chunk_tokens` last."""
    takes: list[Take] = []
    room = batch_tokens
    for want in wants:
        if want.decoding and want.pending <= room:
            takes.append(Take(slot=want.slot, count=want.pending, complete=True))
            room -= want.pending
    room = min(room, chunk_tokens)
    for want in wants:
        if not want.decoding and room > 0:
            count = min(want.pending, room)
            takes.append(Take(slot=want.slot, count=count, complete=count == want.pending))
            room -= count
    return takes


def first_chunk(prefill_tps: float, *, max_step_s: float, batch_tokens: int) -> int:
    """The chunk to begin with, from the speed that the self-test found (tokens/s)."""
    return max(LEAST_CHUNK_TOKENS, min(batch_tokens, int(prefill_tps * AIM * max_step_s)))


def next_chunk(chunk_tokens: int, *, prompt_tokens: int, took_s: float, max_step_s: float, batch_tokens: int) -> int:
    """The chunk for the next step, from how long a step with `prompt_tokens` of prompts took.

    Grows at most twofold and only when the chunk was used up to half; shrinks at once.
    """
    aim_s = AIM * max_step_s
    if took_s > aim_s:
        return max(LEAST_CHUNK_TOKENS, min(chunk_tokens, int(max(prompt_tokens, 1) * aim_s / took_s)))
    if 2 * prompt_tokens < chunk_tokens:
        return chunk_tokens
    return min(batch_tokens, max(chunk_tokens, int(prompt_tokens * min(2.0, aim_s / max(took_s, 1e-6)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A free slot: the ids its memory still holds, and when it was last used (any rising number)."""

    slot: int
    ids: Sequence[int]
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The slot to take and how many ids of the job it holds already."""

    slot: int
    common: int


def choose_slot(idle: Sequence[Idle], ids: Sequence[int]) -> Chosen:
    """The slot that saves most: shared ids count one, ids lost by taking it half; else the one unused for longest.

    At least the last id is left to be computed, because its logits are needed. `idle` is not empty.
    """

    def worth(candidate: Idle) -> tuple[float, int]:
        same = common(candidate.ids, ids)
        return same - (len(candidate.ids) - same) / 2, -candidate.used

    best = max(idle, key=worth)
    return Chosen(slot=best.slot, common=min(common(best.ids, ids), len(ids) - 1))


def best_donor(places: Sequence[Sequence[int]], ids: Sequence[int], *, slot: int, held: int) -> Chosen | None:
    """The place whose memory is worth a copy into `slot`, which holds the first `held` ids already; None when none is.

    The last id is left to be computed here, too.
    """
    found = [Chosen(slot=n, common=min(common(place, ids), len(ids) - 1)) for n, place in enumerate(places) if n != slot]
    best = max(found, key=lambda each: each.common, default=None)
    return best if best is not None and best.common >= held + LEAST_SHARED_TOKENS else None


def common(held: Sequence[int], ids: Sequence[int]) -> int:
    """Length of the common prefix."""
    low, high = 0, min(len(held), len(ids))
    while low < high:  # halves are compared as a whole, which is quick
        middle = (low + high + 1) // 2
        if list(held[low:middle]) == list(ids[low:middle]):
            low = middle
        else:
            high = middle - 1
    return low
