"""The HTTP side on a loopback socket, with fakes behind it."""

import itertools
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sanic import Sanic

from fakes.hub import FakeHub
from fakes.owners import FakeLinks, FakeOwners
from fakes.records import FakeHealth, FakeKeys, FakeRecords
from iamine.manifest import Tier
from pool.api.attach import attach
from pool.api.http import QuickProtocol
from pool.api.settings import Settings
from pool.dispatch.claims import Claims
from pool.dispatch.jobs import Jobs
from pool.dispatch.keeper import Keeper
from pool.dispatch.route import Routing
from pool.dispatch.service import Dispatch
from pool.dispatch.told import Told

_names = itertools.count()


@dataclass(slots=True, kw_only=True)
class Served:
    """A running server and the fakes behind it."""

    port: int
    hub: FakeHub
    records: FakeRecords
    health: FakeHealth
    dispatch: Dispatch
    claims: Claims
    links: FakeLinks

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def served(
    settings: Settings | None = None,
    hub: FakeHub | None = None,
    keeper: Keeper | None = None,
    model_tiers: Mapping[str, Tier] | None = None,
) -> AsyncIterator[Served]:
    """Serve until the block is left."""
    hub, records, health = hub or FakeHub(), FakeRecords(), FakeHealth()
    routing = Routing(model_tiers=model_tiers or {})
    told = Told(records, hub)
    dispatch = Dispatch(hub=hub, records=told, routing=routing, keeper=keeper)
    app = Sanic(f"fake_pool_{next(_names)}")
    jobs, links = Jobs(told, hub), FakeLinks()
    claims = Claims(owners=FakeOwners(), links=links)
    attach(
        app,
        dispatch=dispatch,
        keys=FakeKeys(),
        hub=hub,
        jobs=jobs,
        claims=claims,
        health=health,
        settings=settings or Settings(refusal_s=0.0),
    )
    app.config.TOUCHUP = False  # it rewrites Sanic's classes, which works for one app in a process
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = await app.create_server(sock=listener, return_asyncio_server=True, protocol=QuickProtocol)
    assert server is not None
    await server.startup()
    await server.start_serving()
    try:
        port = listener.getsockname()[1]
        yield Served(port=port, hub=hub, records=records, health=health, dispatch=dispatch, claims=claims, links=links)
    finally:
        server.close()
        await server.wait_closed()
        for connection in list(server.connections):
            connection.abort()
        Sanic.unregister_app(app)
