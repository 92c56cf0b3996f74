"""How long the queues are, remembered for a moment: jobs by the thousand look at once when much waits."""

from collections.abc import Callable

from iamine.ids import ModelId

FRESH_S = 0.5


class Waits:
    """Asks `wait_s` at most twice a second for each model, and anew once somebody has joined its queue."""

    def __init__(self, wait_s: Callable[[ModelId], float | None]) -> None:
        self._wait_s = wait_s
        self._known: dict[ModelId, tuple[float, float | None]] = {}

    def at(self, model: ModelId, now: float) -> float | None:
        """About how long one more job of the model would wait; None when nobody knows."""
        known = self._known.get(model)
        if known is None or now - known[0] >= FRESH_S:
            known = self._known[model] = (now, self._wait_s(model))
        return known[1]

    def joined(self, model: ModelId) -> None:
        """A job was sent there: what is remembered of its queue no longer holds."""
        self._known.pop(model, None)
