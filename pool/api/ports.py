"""What the HTTP side needs from elsewhere; store, hub and app satisfy these."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sanic import Sanic

from iamine.ids import AccountId
from pool.routing.demand import Figures
from pool.routing.types import ModelCard

App = Sanic[Any, Any]


class Keys(Protocol):
    """Who a key belongs to."""

    async def authenticate(self, api_key: str) -> AccountId | None:
        """None for a key that is not valid here. Raises Unavailable when that cannot be known now."""


class HubView(Protocol):
    """The hub as /v1/models, /v1/status and /metrics show it."""

    def models(self) -> Sequence[ModelCard]: ...

    def demand(self) -> Figures:
        """What the pool lacks."""

    @property
    def workers(self) -> int:
        """Workers connected now."""

    @property
    def resting(self) -> int:
        """Those of them whose owners keep their machines for themselves now."""

    @property
    def queued(self) -> int:
        """Jobs that wait for a worker now."""

    @property
    def running(self) -> int:
        """Jobs that workers are at now."""


Counters = Callable[[], Mapping[str, float]]  # figures by name (a-z and _) that only rise


class Health(Protocol):
    """Whether the pool can take requests."""

    async def unready(self) -> str | None:
        """Why not, for a person to read; None when it can."""
