"""How the pool regards this worker: why it gives no job, and whose the worker is. Pure: messages in, words out."""

from iamine.ids import ModelId
from iamine.wire.messages import MAX_MODELS, Claim, Standing

MAX_OWNER_CHARACTERS, MAX_CODE_CHARACTERS = 64, 16


class Regard:
    """What the pool said last. Seconds are monotonic."""

    def __init__(self) -> None:
        self._standings: dict[ModelId, Standing] = {}
        self._claim, self._claim_until_s = Claim(), 0.0

    def linked(self) -> None:
        """A new link: standings are told anew; whose it is stays until it is told otherwise."""
        self._standings.clear()

    def stands(self, standing: Standing) -> str:
        """Why no job comes; the line to say where the volunteer can do something about it, else ""."""
        before = self._standings.get(standing.model)
        if len(self._standings) < MAX_MODELS or before is not None:
            self._standings[standing.model] = standing
        return standing_line(standing) if standing.reason == "slow" and (before is None or before.reason != "slow") else ""

    def claimed(self, claim: Claim, now_s: float) -> str:
        """Whose this worker is, or how to take it; the line for those who see lines only, "" when it says nothing new."""
        before, self._claim, self._claim_until_s = self._claim, claim, now_s + claim.valid_s
        if claim.owner and claim.owner != before.owner:
            return f"claimed by {self.owner}"
        if claim.code and claim.code != before.code:
            return f"to claim this worker: iamine claim {self.code(now_s)}"
        return ""

    @property
    def owner(self) -> str:
        """The account that has taken this worker, "" for none."""
        return self._claim.owner[:MAX_OWNER_CHARACTERS]

    def code(self, now_s: float) -> str:
        """The code by which an account takes it, while it counts."""
        return self._claim.code[:MAX_CODE_CHARACTERS] if now_s < self._claim_until_s else ""

    def standing(self) -> str:
        """Why no job comes, for all models."""
        return "; ".join(standing_line(one) for one in self._standings.values())


def standing_line(standing: Standing) -> str:
    """Why no job comes, in the pool's words, and what the worker is owed."""
    what = standing.text[:200] or f"no job for {standing.model} ({standing.reason[:40]})"
    owed = f" (owed {standing.deficit_s:.0f} s of work)" if standing.deficit_s >= 1 else ""
    return f"{what}{owed}"
