"""The worker put together: the one file of the agent that knows everybody."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import SystemRandom

from msgspec import structs

from appliance.agent import probe
from appliance.agent.anew import Anew
from appliance.agent.assignment import Assignment
from appliance.agent.config import Settings, worker_endpoint
from appliance.agent.control import Ask, State, listen
from appliance.agent.course import Course
from appliance.agent.duty import Duty
from appliance.agent.errors import ConfigError, EngineFailed
from appliance.agent.fetch import Shelf
from appliance.agent.hotplug import listen as changes
from appliance.agent.link import Endpoint, Link, Refused
from appliance.agent.machine import Hardware
from appliance.agent.notify import Notify
from appliance.agent.plan import plan
from appliance.agent.plugged import Plugged
from appliance.agent.prepared import Prepared, at_hand, describe, verdicts
from appliance.agent.runner import Runner, hosted, spawn
from appliance.agent.screen import Screen, error_line
from appliance.agent.settling import Settling
from appliance.agent.types import ModelSpec
from appliance.agent.upgrade import Upgrade
from appliance.agent.worker import Worker
from iamine import __version__, release
from iamine.identity import Identity
from iamine.keyfile import load_credential, load_or_create
from iamine.lockfile import LockFile
from iamine.manifest import ManifestError
from iamine.paths import private_dir
from iamine.wire.messages import ManifestUpdate

KEY_NAME = "worker.key"
LOCK_NAME = "worker.lock"
PINS_NAME = "pool.json"
QUARANTINE_NAME = "quarantine"
EXIT_OK, EXIT_REFUSED = 0, 3
TICK_S = 1.0
RUNNER_CLOSE_S = 0.8  # with the link's second this stays under the 2 s in which the machine is to be free


@contextlib.contextmanager
def sole_worker(data_dir: Path) -> Iterator[None]:
    """Nobody else works with this folder's key while the block runs. Raises ConfigError when somebody does."""
    lock = LockFile(private_dir(data_dir) / LOCK_NAME)
    if not lock.try_take():
        hint = "stop it, or give this one a folder and a key of its own with --data-dir DIR"
        raise ConfigError(f"another worker runs with the key in {data_dir}", hint=hint)
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A worker put together; nothing of it runs yet."""

    worker: Worker
    runner: Runner
    link: Link
    upgrade: Upgrade
    assignment: Assignment
    duty: Duty
    anew: Anew
    plugged: Plugged


def put_together(
    settings: Settings, prepared: Prepared, screen: Screen, identity: Identity, leave: Callable[[int], None]
) -> Parts:
    """Every part, knowing those that it needs. `leave(code)` ends the worker."""
    worker = Worker(
        hardware=prepared.machine.told(),
        say=screen.say,
        clock=time.monotonic,
        renew=lambda news: renewed(news, settings.data_dir),
        lacks=lambda demand: assignment.heard(demand),
    )
    runner = engines(settings, worker, lambda spec, words, often: anew.died(spec, words, often))
    link = Link(endpoint=endpoint(settings, prepared), identity=identity, owner=worker, random=SystemRandom().random)
    worker.attach(runner, link)
    settling = Settling(
        engines=runner,
        book=prepared.book,
        serving=prepared.plan.specs,
        files=prepared.files,
        choose=lambda files: plan(settings, anew.allowed, files, settling.book.known),
        say=screen.say,
        used=lambda spec: Shelf(folder=spec.path.parent.parent).used(spec.file_sha256),
    )
    course = Course(
        settings=settings,
        machine=lambda: anew.allowed,
        settling=settling,
        screen=screen,
        scan=lambda: at_hand(settings, screen),
        resting=lambda: duty.resting,
        pool=prepared.home.base,
    )
    upgrade = course.upgrade()
    assignment = course.assignment(worker, upgrade)
    duty = Duty(
        folder=settings.data_dir,
        schedule=settings.schedule,
        hands=worker,
        load=lambda: take_up(settling, upgrade, anew),
        release=runner.release,
        say=screen.say,
        now=lambda: datetime.now().astimezone(),
        clock=time.monotonic,
    )
    anew = Anew(
        machine=prepared.machine,
        watchdog=prepared.watchdog,
        probe=probe.probe,
        settle_on=lambda machine: settle_on(machine, settings, settling, upgrade, worker, screen),
        reload=duty.again,
        busy=lambda: runner.running > 0,
        leave=leave,
    )
    take = None if settings.model else (lambda folder: upgrade.run(course.disk(folder)))
    plugged = Plugged(anew=anew, changes=lambda: changes(screen.say), take=take, say=screen.say)
    return Parts(
        worker=worker, runner=runner, link=link, upgrade=upgrade, assignment=assignment, duty=duty, anew=anew, plugged=plugged
    )


async def work(settings: Settings, prepared: Prepared, screen: Screen, *, identity: Identity, told: Notify) -> int:
    """Load, link and serve until a signal (0), until the pool refuses this worker for good (3), or as the watchdog says."""
    with stop_signals() as stop:
        ends: list[int] = []

        def leave(code: int) -> None:
            ends.append(code)
            stop.set()

        parts = put_together(settings, prepared, screen, identity, leave)
        on_duty = asyncio.create_task(parts.duty.run())
        try:
            async with listen(settings.data_dir, shown(parts.duty.asked, parts.worker, screen), screen.say):
                if await _first(stop, on_duty, parts.duty.ready):
                    if on_duty.done():
                        await on_duty
                    ends.append(await _serve(parts, on_duty, screen, stop))
        except EngineFailed as error:
            ends.append(parts.anew.idle())
            if not ends[0]:
                raise
            screen.say(error_line(error))
        finally:
            told.tell("STOPPING=1")
            on_duty.cancel()
            await asyncio.gather(on_duty, return_exceptions=True)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(parts.runner.close(), RUNNER_CLOSE_S)
        return next(iter(ends), EXIT_OK)


def endpoint(settings: Settings, prepared: Prepared) -> Endpoint:
    """Where the link goes, and what this worker says of itself there."""
    return Endpoint(
        url=worker_endpoint(prepared.home.base),
        pins=settings.data_dir / PINS_NAME,
        pool_key=prepared.home.pool_key,
        name=settings.name,
        agent=f"iamine/{__version__}",
        manifest=release.current(settings.data_dir, release.today()).serial,
    )


def engines(settings: Settings, worker: Worker, on_crash: Callable[[ModelSpec, str, bool], bool]) -> Runner:
    """What runs the models: children of this process, or of the engine host that the settings name."""
    return Runner(
        on_frame=worker.on_frame,
        on_offers=worker.on_offers,
        quarantine_dir=settings.data_dir / QUARANTINE_NAME,
        launch=hosted(settings.engine_socket) if settings.engine_socket else spawn,
        on_crash=on_crash,
    )


def settle_on(
    machine: Hardware, settings: Settings, settling: Settling, upgrade: Upgrade, worker: Worker, screen: Screen
) -> None:
    """What is to be loaded on a machine that is another than it was; where nothing fits it, what was loaded before."""
    settling.book = verdicts(settings, machine, screen.say)
    worker.moved(machine.told())
    screen.say(describe(machine))
    chosen = plan(settings, machine, settling.files, settling.book.known)
    if chosen.problem:
        screen.say(f"{chosen.problem}; {chosen.hint}")
        return
    settling.serving = upgrade.loaded = chosen.specs
    screen.board.about(describe(machine))
    screen.board.chosen(chosen.reasons)
    for reason in chosen.reasons:
        screen.say(f"chosen {reason}")


async def beat(told: Notify) -> None:
    """Up from now on; and while this loop turns, systemd hears of it."""
    told.tell("READY=1")
    while told.beat_s is not None:
        told.tell("WATCHDOG=1")
        await asyncio.sleep(told.beat_s)


def identity_of(environ: Mapping[str, str], data_dir: Path) -> Identity:
    """The worker's: of the key that systemd hands over (LoadCredential=), else of the data folder's. Raises KeyFileError."""
    given = Path(environ.get("CREDENTIALS_DIRECTORY") or "/nonexistent") / KEY_NAME
    return load_credential(given) if given.is_file() else load_or_create(data_dir / KEY_NAME)


def shown(asked: Callable[[Ask], Awaitable[State]], worker: Worker, screen: Screen) -> Callable[[Ask], Awaitable[State]]:
    """Whoever asks for the status is told what the screen shows too."""

    async def answer(wanted: Ask) -> State:
        state = await asked(wanted)
        return structs.replace(state, view=screen.board.view(worker.status())) if wanted.ask == "status" else state

    return answer


def renewed(news: ManifestUpdate, data_dir: Path) -> str:
    """Keep the manifest that the pool sent; what came of it, in a line."""
    try:
        taken = release.keep(news, data_dir, release.today())
    except ManifestError as error:
        return f"the pool's list of models is not taken: {error.message}"
    return f"the pool sent a newer list of models ({taken.serial}); it counts from the next start on"


async def take_up(settling: Settling, upgrade: Upgrade, anew: Anew) -> None:
    """Load what serves, or what the measure leaves of it. Raises AgentError when nothing loads."""
    await anew.prepare()
    settling.serving = upgrade.loaded
    await settling.settle()
    upgrade.loaded = settling.serving


async def _serve(parts: Parts, on_duty: "asyncio.Task[None]", screen: Screen, stop: asyncio.Event) -> int:
    """Serve until told to stop or refused; the exit code."""
    worker, link = parts.worker, parts.link
    works: list[Coroutine[None, None, object]] = [parts.upgrade.run(), parts.assignment.run(), parts.anew.watch()]
    works += [_show(worker, screen), _tick(worker), parts.plugged.devices(), parts.plugged.disks()]
    beside = [asyncio.create_task(each) for each in works]
    linked = asyncio.create_task(link.run())
    try:
        if not await _first(stop, on_duty, linked):
            moved = worker.drain()
            screen.say(f"stopping; {moved} running answers go on elsewhere")
            await link.close("the worker is stopping")
            return EXIT_OK
        await (on_duty if on_duty.done() else linked)
        return EXIT_OK
    except Refused as error:
        screen.say(error_line(error))
        return EXIT_REFUSED
    finally:
        for task in (linked, *beside):
            task.cancel()
        await asyncio.gather(linked, *beside, return_exceptions=True)
        screen.show(worker.status())


async def _tick(worker: Worker) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        worker.tick()


async def _show(worker: Worker, screen: Screen) -> None:
    while True:
        screen.show(worker.status())
        await asyncio.sleep(screen.every_s)


async def _first(stop: asyncio.Event, *others: "asyncio.Task[None] | asyncio.Event") -> bool:
    """Wait for the first to end or happen; False when told to stop before any other did."""
    tasks = [asyncio.create_task(other.wait()) if isinstance(other, asyncio.Event) else other for other in (stop, *others)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return any(task.done() for task in tasks[1:])
    finally:
        for task, other in zip(tasks, (stop, *others), strict=True):
            if isinstance(other, asyncio.Event):
                task.cancel()


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set while the block runs."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
