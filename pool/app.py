"""The composition root of the pool: the only file that knows everybody."""

import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Coroutine

import uvloop
from sanic import Sanic

from iamine import __version__, manifest, release
from iamine.ids import WorkerId
from iamine.keyfile import load_or_create
from iamine.wire.messages import Hello
from pool import logs
from pool.api.attach import attach
from pool.api.listener import Listener
from pool.api.ports import App
from pool.api.settings import Settings
from pool.beacon import beacon
from pool.config import PoolConfig, upstream_key
from pool.dispatch.claims import Claims
from pool.dispatch.fairness import Fairness, Usage
from pool.dispatch.jobs import Jobs
from pool.dispatch.keeper import Keeper, Keeping
from pool.dispatch.limits import Limits
from pool.dispatch.route import Routing
from pool.dispatch.service import Dispatch
from pool.dispatch.told import Told
from pool.errors import PoolError
from pool.hub import Hub
from pool.hub.catalogue import Catalogue
from pool.routing.demand import Demand
from pool.routing.scheduler import Scheduler
from pool.routing.tiers import Tiers
from pool.store.embedded import EmbeddedPostgres
from pool.store.owner import ensure_owner
from pool.store.store import Store, open_store
from pool.upstream.provider import Provider

log = logging.getLogger("pool.app")

KEY_NAME = "pool.key"
TICK_S = 0.25
COLLECT_AFTER = 20_000  # container objects made and not freed (Python: 700)
HARD_EXIT_S = 6.0  # after a stop signal: whoever supervises us promises 8 s


def serve(config: PoolConfig) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns the process's exit code."""
    logs.set_up(sys.stderr)
    return uvloop.run(Pool(config).run())


class Pool:
    """One pool process, from the first start of its database to the last."""

    def __init__(self, config: PoolConfig) -> None:
        self._config = config
        self._stopping = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Everything, in the order in which it must stand; taken down in the opposite order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        async with contextlib.AsyncExitStack() as stack:
            store = await self._open_store(stack)
            await store.jobs.lose_running()
            scheduler = Scheduler(max_queue=self._config.max_queue, demand=(demand := Demand()))
            fairness = Fairness(
                fleet=scheduler.fleet,
                counters=scheduler.counters,
                kept=store.fairness,
                standing=Usage(store.fairness.spent),
            )
            await fairness.begin()
            stack.push_async_callback(fairness.keep)
            hub, claims = await self._open_hub(store, scheduler, fairness, demand)
            stack.callback(hub.close)
            keeper = Keeper(hub=hub, journals=store.journals, keeping=self._keeping())
            await keeper.expect()
            stack.push_async_callback(keeper.drain, self._config.shutdown_grace_s / 2)
            records = Told(store.jobs, hub)
            dispatch = Dispatch(
                hub=hub,
                records=records,
                limits=self._limits(),
                routing=self._routing(),
                keeper=keeper,
                upstream=await self._open_upstream(stack),
            )
            stack.push_async_callback(dispatch.drain, self._config.shutdown_grace_s / 2)
            readiness = Readiness(store)
            listener = await self._listen(hub, dispatch, store, Jobs(records, hub), claims, readiness)
            stack.push_async_callback(listener.close, self._config.shutdown_grace_s / 2)
            base_url = f"http://{_dialable(self._config.host)}:{listener.port}/v1"
            await ensure_owner(store, self._config.data_path, base_url)
            await self._announce(stack, listener)
            _calm_collector()
            readiness.begun = True
            log.info("pool %s serves at %s", __version__, base_url)
            for work in (_tick(hub), fairness.run(), keeper.run(), claims.run()):
                stack.callback(asyncio.create_task(work).cancel)
            await self._stopping.wait()
            log.info("stopping")
            keeper.close()
            hub.close()
        return 0

    async def _open_store(self, stack: contextlib.AsyncExitStack) -> Store:
        dsn = self._config.dsn
        if not dsn:
            postgres = EmbeddedPostgres(self._config.data_path)
            stack.push_async_callback(postgres.close)
            dsn = await postgres.start()
        store = await open_store(dsn, wait_s=self._config.database_wait_s)
        stack.push_async_callback(store.close)
        return store

    async def _announce(self, stack: contextlib.AsyncExitStack, listener: Listener) -> None:
        """Agents on the local network find the pool, unless that is switched off or makes no sense."""
        if not self._config.announce:
            return
        found = beacon(
            name=self._config.name,
            host=listener.host,
            port=listener.port,
            public_key=load_or_create(self._config.data_path / KEY_NAME).public_key,
            version=__version__,
        )
        if found is not None:
            await stack.enter_async_context(found)

    async def _open_upstream(self, stack: contextlib.AsyncExitStack) -> Provider | None:
        config = self._config.upstream
        if not config.url:
            return None
        provider = Provider(
            url=config.url,
            api_key=upstream_key(config),
            models={str(tier): model for tier, model in config.models.items()},
            default=config.model,
            after_s=config.after_s,
            first_s=config.first_token_s,
        )
        log.info("what nobody here can serve soon is asked of %s: prompts leave this pool then", config.url)
        return await stack.enter_async_context(provider)

    async def _open_hub(self, store: Store, scheduler: Scheduler, fairness: Fairness, demand: Demand) -> tuple[Hub, Claims]:
        catalogue = Catalogue(remembered=await store.models.recent(), created=int(time.time()), now=time.monotonic())

        tiers = Tiers(manifest.load(), self._config.model_tiers)
        demand.tier_of = lambda model: tiers.named(model) if (card := catalogue.card(model)) is None else tiers.of(card)

        async def greeted(worker: WorkerId, hello: Hello) -> None:
            await _remember(store, fairness, catalogue, worker, hello, hub.agent_of(worker))
            await claims.joined(worker)

        hub = Hub(
            identity=load_or_create(self._config.data_path / KEY_NAME),
            name=self._config.name,
            scheduler=scheduler,
            catalogue=catalogue,
            monotonic=time.monotonic,
            wall=time.time,
            random_bytes=secrets.token_bytes,
            on_hello=lambda worker, hello: self._soon(greeted(worker, hello)),
            news=(manifest.load().serial, release.bundled_news()),
        )
        claims = Claims(owners=store.workers, links=hub)
        return hub, claims

    async def _listen(
        self, hub: Hub, dispatch: Dispatch, store: Store, jobs: Jobs, claims: Claims, readiness: "Readiness"
    ) -> Listener:
        app: App = Sanic("iamine-pool", configure_logging=False)
        attach(
            app,
            dispatch=dispatch,
            keys=store.accounts,
            hub=hub,
            jobs=jobs,
            claims=claims,
            health=readiness,
            settings=self._settings(),
            counters=lambda: dataclasses.asdict(hub.tally),
            started_s=time.time(),
        )
        return await Listener.open(
            app, hub, host=self._config.host, port=self._config.port, backlog=self._config.listen_backlog
        )

    def _limits(self) -> Limits:
        config = self._config
        return Limits(
            stream_deadline_s=config.stream_deadline_s,
            plain_deadline_s=config.plain_deadline_s,
            same_model_wait_s=config.same_model_wait_s,
            think_tiers=config.think_tiers,
            think_tokens=config.think_tokens,
            think_timeout_s=config.think_timeout_s,
        )

    def _keeping(self) -> Keeping:
        return Keeping(hold_s=self._config.hold_s, grace_s=self._config.client_grace_s, resume_s=self._config.resume_s)

    def _routing(self) -> Routing:
        return Routing(
            manifest=manifest.load(),
            aliases=self._config.aliases,
            quality_floor=self._config.quality_floor,
            model_tiers=self._config.model_tiers,
            substitute=self._config.substitute,
        )

    def _settings(self) -> Settings:
        return Settings(
            name=self._config.name,
            version=__version__,
            cors_origins=frozenset(self._config.cors_origins),
            files_url=self._config.files_url,
            max_body_bytes=self._config.max_body_bytes,
            max_bodies_bytes=self._config.max_bodies_bytes,
            stalled_client_s=self._config.stalled_client_s,
            concurrent_per_key=self._config.per_key_concurrency,
            requests_per_minute=self._config.requests_per_minute,
            tokens_per_minute=self._config.tokens_per_minute,
        )

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        """In the background; bounded by what it waits for itself."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _stop(self) -> None:
        """First signal: an orderly end with a limit. The limit holds even if the loop itself hangs."""
        if not self._stopping.is_set():
            signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
            signal.setitimer(signal.ITIMER_REAL, HARD_EXIT_S)
        self._stopping.set()


class Readiness:
    """Ready is: the start is over (client.json is written), the listener answers, and so does the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.begun = False

    async def unready(self) -> str | None:
        """Why the pool cannot take requests; None when it can."""
        if not self.begun:
            return "the pool is starting"
        return None if await self._store.healthy() else "the database does not answer"


def _calm_collector() -> None:
    """What stands by now stays: the cycle collector need not look at it again. It took a tenth of the processor time of
    requests (measured in November 2026); hardly any cycles are made while serving, so it may come more rarely.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


async def _tick(hub: Hub) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        hub.tick()


async def _remember(store: Store, fairness: Fairness, catalogue: Catalogue, worker: WorkerId, hello: Hello, agent: str) -> None:
    """What a hello tells goes into the database; its absence never touches the link."""
    try:
        await fairness.joined(worker)
        await store.workers.seen(
            worker=worker, public_key=hello.worker_key, name=hello.name, hardware=hello.hardware, agent=agent
        )
        await store.models.seen(catalogue.cards(time.monotonic()))
    except PoolError as error:
        log.warning("worker %s is not recorded: %s", worker, error)


def _dialable(host: str) -> str:
    """An address that a client on this machine can use."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - a comparison, nothing is bound here
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
