"""The answers that run now, each with its own speed. Pure: the worker owns one, and gives the time."""

from collections.abc import Collection, Mapping

from appliance.agent.throughput import Throughput
from appliance.agent.types import Slot
from iamine.ids import JobId, ModelId

Key = tuple[JobId, int]


class Slots:
    """Running jobs in the order in which they came. Seconds are monotonic."""

    def __init__(self) -> None:
        self._models: dict[Key, ModelId] = {}
        self._tokens: dict[Key, int] = {}
        self._last_s: dict[Key, float] = {}
        self._speeds: dict[Key, Throughput] = {}

    def take(self, key: Key, model: ModelId) -> None:
        """A job begins; its tokens are counted from here on."""
        self.drop(key)
        self._models[key] = model
        self._tokens[key] = 0

    def step(self, tokens: Mapping[Key, int], now_s: float) -> None:
        """So many tokens came for each. Its speed is measured from its first step on, so that the prompt does not count."""
        for key, count in tokens.items():
            if key not in self._models:
                continue
            if key in self._last_s:
                speed = self._speeds.get(key, Throughput())
                self._speeds[key] = speed.add(count, now_s - self._last_s[key])
            self._tokens[key] += count
            self._last_s[key] = now_s

    def told(self, running: Collection[Key]) -> tuple[Slot, ...]:
        """Those that still run; the others are forgotten."""
        for key in [key for key in self._models if key not in running]:
            self.drop(key)
        return tuple(
            Slot(model=model, tokens=self._tokens[key], rate_tps=self._speeds.get(key, Throughput()).rate_tps)
            for key, model in self._models.items()
        )

    def drop(self, key: Key) -> None:
        """Forget it."""
        self._models.pop(key, None)
        self._tokens.pop(key, None)
        self._last_s.pop(key, None)
        self._speeds.pop(key, None)
