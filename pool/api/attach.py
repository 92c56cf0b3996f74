"""Puts the HTTP side onto a Sanic app."""

import time
from collections.abc import Mapping

from pool.api import answers, demand, embeddings, errors, files, me, messages, models, pages, replies, responses
from pool.api import jobs as jobs_room
from pool.api.asked import Asked
from pool.api.desk import Desk
from pool.api.gate import Gate
from pool.api.health import routes as health_routes
from pool.api.metrics import Metrics
from pool.api.ports import App, Counters, Health, HubView, Keys
from pool.api.room import Room
from pool.api.settings import Settings, sanic_config
from pool.api.turnstile import Turnstile
from pool.api.watch import Watch
from pool.dispatch.claims import Claims
from pool.dispatch.jobs import Jobs
from pool.dispatch.service import Dispatch
from pool.routing.admission import Admission
from pool.routing.turns import Turns


def _no_counters() -> Mapping[str, float]:
    return {}


def attach(
    app: App,
    *,
    dispatch: Dispatch,
    keys: Keys,
    hub: HubView,
    jobs: Jobs,
    claims: Claims,
    health: Health,
    settings: Settings,
    counters: Counters = _no_counters,
    started_s: float | None = None,
) -> None:
    """Add every client-side route, the error envelope and the headers; set what Sanic must know.

    `counters` are further figures for /metrics; `started_s` is when the pool started (seconds since 1970), now by default.
    """
    app.config.update(sanic_config(settings))
    app.request_class = Asked
    metrics = Metrics(hub, counters)
    admission = Admission(requests_per_minute=settings.requests_per_minute, tokens_per_minute=settings.tokens_per_minute)
    desk = Desk(
        dispatch=dispatch,
        keys=keys,
        hub=hub,
        jobs=jobs,
        claims=claims,
        health=health,
        settings=settings,
        gate=Gate(settings.concurrent_per_key, admission),
        room=Room(settings.max_bodies_bytes),
        turnstile=Turnstile(Turns(), linger_s=settings.refusal_s),
        watch=Watch(every_s=settings.watch_every_s, stalled_s=settings.stalled_client_s),
        metrics=metrics,
        started_s=time.time() if started_s is None else started_s,
    )
    errors.install(app)
    replies.install(app, origins=settings.cors_origins, metrics=metrics, gate=desk.gate)
    for room in (answers, responses, messages, embeddings, models, jobs_room, me, demand, pages, files):
        app.blueprint(room.routes(desk))
    app.blueprint(health_routes(desk))
