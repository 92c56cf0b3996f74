"""What every handler of the HTTP side shares."""

from dataclasses import dataclass

from pool.api.gate import Gate
from pool.api.metrics import Metrics
from pool.api.ports import Health, HubView, Keys
from pool.api.room import Room
from pool.api.settings import Settings
from pool.api.turnstile import Turnstile
from pool.api.watch import Watch
from pool.dispatch.claims import Claims
from pool.dispatch.jobs import Jobs
from pool.dispatch.service import Dispatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The ports and the parts built from them."""

    dispatch: Dispatch
    keys: Keys
    hub: HubView
    jobs: Jobs
    claims: Claims
    health: Health
    settings: Settings
    gate: Gate
    room: Room
    turnstile: Turnstile
    watch: Watch
    metrics: Metrics
    started_s: float
