"""The agent's commands: worker, pause, resume, probe, models and doctor (and, where nobody added them, chat and status)."""

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from appliance.agent import app, benching, doctor, fetching, finding, fit, pause, report, share, status, units
from appliance.agent.board import Board
from appliance.agent.config import Options, Settings, claim_page, settings
from appliance.agent.errors import ConfigError
from appliance.agent.fetch import Shelf, Source, open_progress
from appliance.agent.models import Catalog
from appliance.agent.notified import Notified
from appliance.agent.notify import Notify, notify
from appliance.agent.peers import peers
from appliance.agent.prepared import Prepared, describe, prepare, verdicts
from appliance.agent.prepared import at_hand as files_at_hand
from appliance.agent.probe import Sensing, disk_free_bytes, probe, sensors_here
from appliance.agent.screen import PlainScreen, Screen, error_line, open_screen
from appliance.agent.statusfile import StatusFile
from appliance.agent.upgrade import in_thread
from iamine import chat, claiming, release
from iamine.client import FILE_NAME, read_file
from iamine.errors import IamineError
from iamine.manifest import Model
from iamine.paths import data_dir
from iamine.processor import missing
from iamine.terminal import Terminal

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130
DOCTOR_SAYS = {
    "ok": "all is well",
    "warn": "a worker runs here; what is marked could be better",
    "fail": "a worker cannot run here as it is: see what is marked",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The agent's commands alone; an error is told with what to try next."""
    parser = argparse.ArgumentParser(prog="iamine-agent", description="The worker side of IAMINE.")
    register(parser.add_subparsers(title="commands", metavar="COMMAND", required=True))
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except IamineError as error:
        Terminal(sys.stderr).error(error)
        return EXIT_FAILED


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the agent's commands."""
    _worker(_command(subparsers, "worker", "give this machine to a pool", run_worker))
    pause.register(subparsers)
    units.register(subparsers)
    share.register(subparsers)
    _command(subparsers, "probe", "what this machine is, and which models fit it and why", run_probe, json=True)
    _command(subparsers, "models", "the known models: at hand or not, and whether they fit", run_models, json=True)
    getting = _command(subparsers, "fetch", "fetch the best model for this machine, or a named one", run_fetch)
    getting.add_argument("model", nargs="?", default="", metavar="ID", help="a model of `iamine models` (default: the best)")
    getting.add_argument("--from", action="append", default=[], dest="places", metavar="DIR|URL", help="look here first")
    timing = _command(subparsers, "bench", "measure the models at hand on this machine", run_bench, json=True)
    timing.add_argument("model", nargs="?", default="", metavar="ID", help="this model only")
    timing.add_argument("--fresh", action="store_true", help="measure again what was measured before")
    check = _command(subparsers, "doctor", "check everything that a worker needs, and say what to do", run_doctor, json=True)
    check.add_argument("--pool", metavar="URL", help="the pool to check (default: as for worker)")
    if "chat" not in subparsers.choices:
        chat.register(subparsers)
    if "claim" not in subparsers.choices:
        claiming.register(subparsers)
    status.extend(subparsers)


def _command(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    about: str,
    run: Callable[[argparse.Namespace], int],
    *,
    json: bool = False,
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run)
    parser.add_argument("--data-dir", metavar="DIR", help="where key, models and config are kept")
    parser.add_argument("--config", metavar="FILE", type=Path, help="the config file (default: worker.toml in the data folder)")
    parser.add_argument(
        "--models-dir", metavar="DIR", type=Path, help="where .gguf files lie (default: models in the data folder)"
    )
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _worker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--auto", action="store_true", help="choose the best model at hand, whatever the config names")
    parser.add_argument("--pool", metavar="URL", help="the pool's address, as in http://HOST:PORT (default: IAMINE_POOL)")
    parser.add_argument("--model", metavar="ID", help="load this model instead of the best one")
    parser.add_argument("--name", help="what the pool calls this machine")
    parser.add_argument("--slots", type=int, metavar="N", help="answers at the same time")
    parser.add_argument("--max-tps", type=float, metavar="N", help="the most tokens per second of one answer")
    parser.add_argument("--plain", action="store_true", help="lines only, no live picture")
    parser.add_argument("--status", type=Path, metavar="FILE", help="keep the state of things in this JSON file, too")


# ---- commands -----------------------------------------------------------------------------------------------------------


def run_worker(args: argparse.Namespace) -> int:
    """Serve a pool until stopped."""
    chosen = chosen_settings(args)
    sensors: list[Sensing] = []
    board = Board(local_now, time.monotonic, lambda: sensors[0].latest() if sensors else ())
    screen = open_screen(sys.stderr, local_now, plain=args.plain, board=board)
    if args.status is not None:
        screen = StatusFile(screen, args.status, local_now)
    told = notify(os.environ)
    screen = Notified(screen, told) if told.address else screen
    try:
        check_processor()
        with app.sole_worker(chosen.data_dir):
            return asyncio.run(_serve(chosen, screen, sensors, told))
    except IamineError as error:
        if args.status is not None:
            screen.say(error_line(error))
        raise
    finally:
        for each in sensors:
            each.close()
        screen.close()


async def _serve(chosen: Settings, screen: Screen, sensors: list[Sensing], told: Notify) -> int:
    """Look around, then work. systemd hears all the time that this loop turns: looking is done beside it."""

    def look() -> Prepared:
        return prepare(chosen, screen, supervised=bool(told.address))

    beats = asyncio.create_task(app.beat(told))
    try:
        prepared = await in_thread(look)
        tell(screen.board, chosen, prepared)
        sensors.append(sensors_here(nvml=any(device.driver == "nvidia" for device in prepared.machine.devices)))
        sensors[0].start()
        identity = app.identity_of(os.environ, chosen.data_dir)
        return await app.work(chosen, prepared, screen, identity=identity, told=told)
    finally:
        beats.cancel()
        await asyncio.gather(beats, return_exceptions=True)


def check_processor() -> None:
    """Raises ConfigError (E-CPU) on a processor that cannot run the engine: it would die of SIGILL without a word."""
    try:
        lacking = missing(Path("/proc/cpuinfo").read_text(), platform.machine())
    except OSError:
        return
    if lacking:
        hint = "use a machine made after 2009; nothing can be changed by settings"
        raise ConfigError(f"E-CPU: this processor lacks {', '.join(lacking)} (x86-64-v2 is needed)", hint=hint)


def tell(board: Board, chosen: Settings, prepared: Prepared) -> None:
    """The machine, what was chosen and why, and what lies idle for want of something that can be done."""
    board.about(describe(prepared.machine))
    board.claimed_at(claim_page(prepared.home.base))
    board.chosen(prepared.plan.reasons)
    for check in doctor.gpus(prepared.machine, use_gpu=chosen.gpu):
        if check.advice:
            board.warn(check.found, check.advice)


def run_probe(args: argparse.Namespace) -> int:
    """Show the machine and what it can run."""
    chosen, out = chosen_settings(args), Terminal(sys.stdout)
    machine, catalog = probe(), at_hand(chosen)
    room = fit.budget(machine, use_gpu=chosen.gpu)
    fits = [fit.fit(model, room) for model in known(chosen, catalog)]
    choice = fit.best(room, [file.model for file in catalog.files if file.model.kind != "embedding"])
    wish = fit.best(room, [model for model in known(chosen, catalog) if model.kind != "embedding"])
    disk = disk_free_bytes(chosen.data_dir)
    if args.json:
        out.json(report.as_json(machine, disk, room, fits, {"choice": choice, "best_known": wish}))
        return EXIT_OK
    report.show(out, machine, f"disk     {fit.gigabytes(disk) if disk is not None else 'unknown'} free in {chosen.data_dir}")
    report.show_fits(out, room, fits, choice)
    out.line(f"best known: {wish.model.id if wish.model else 'none'} ({wish.reason})")
    out.line(f"looked in {machine.took_s:.1f} s", "dim")
    return EXIT_OK


def run_models(args: argparse.Namespace) -> int:
    """List the manifest's models and the files at hand."""
    chosen, out = chosen_settings(args), Terminal(sys.stdout)
    room = fit.budget(probe(), use_gpu=chosen.gpu)
    catalog = at_hand(chosen)
    here = {file.model.id: str(file.path) for file in catalog.files}
    rows = [(model, here.get(model.id), fit.fit(model, room)) for model in known(chosen, catalog)]
    if args.json:
        listed = [
            {**model_json(model), "path": path, "at_hand": path is not None, **report.fit_json(found)}
            for model, path, found in rows
        ]
        out.json({"models": listed, "problems": catalog.problems})
        return EXIT_OK
    out.table(
        ("model", "tier", "size", "licence", "at hand", "fits"),
        [
            (model.id, model.tier, fit.gigabytes(model.total_bytes), model.license, _yes(path is not None), _yes(found.fits))
            for model, path, found in rows
        ],
    )
    out.line(f"at hand means: the file lies here. `iamine fetch` gets the best; or put .gguf files into {chosen.models_dir}")
    for problem in catalog.problems:
        out.line(problem, "yellow")
    return EXIT_OK


def run_fetch(args: argparse.Namespace) -> int:
    """Fetch what this machine should have, a smaller model first when the best one takes long."""
    named, args.model = args.model, None
    chosen, out = chosen_settings(args), Terminal(sys.stdout)
    catalog = at_hand(chosen)
    manifest, here = release.current(chosen.data_dir, release.today()), [file.model.id for file in catalog.files]
    wanted = fetching.wanted(manifest, named, probe(), here, chosen)
    progress, count = open_progress(sys.stderr, time.monotonic), 0

    def places() -> Sequence[Source]:
        found = peers(progress.say) if chosen.fetch.lan else ()
        return fetching.sources(chosen.fetch, args.places, peers=found, pool=examined(chosen).pool)

    for model, path in fetching.run(wanted, places, Shelf(folder=chosen.models_dir), progress):
        out.line(f"{model.id} {path}")
        count += 1
    if not count:
        out.line("the best model for this machine is here already; `iamine probe` shows which")
    return EXIT_OK


def run_bench(args: argparse.Namespace) -> int:
    """Measure each model at hand, or tell what is remembered of it, beside what was expected."""
    named, args.model = args.model, None
    chosen, out, machine = chosen_settings(args), Terminal(sys.stdout), probe()
    files, say = at_hand(chosen).files, PlainScreen(sys.stderr, local_now).say
    place = chosen.data_dir / app.QUARANTINE_NAME

    async def measure() -> list[benching.Measured]:
        book, specs = verdicts(chosen, machine, say), benching.specs(chosen, machine, files, named)
        return [await benching.measure(spec, book, place, fresh=args.fresh, say=say) for spec in specs]

    with app.sole_worker(chosen.data_dir):  # beside a worker nothing would be measured as it is, and that be remembered
        measured = asyncio.run(measure())
    if args.json:
        out.json({"hardware": machine, "measured": measured})
    else:
        out.table(benching.COLUMNS, [benching.row(each) for each in measured])
        out.line(describe(machine), "dim")
    return EXIT_OK if measured else EXIT_FAILED


def run_doctor(args: argparse.Namespace) -> int:
    """Check everything; 1 when something fails."""
    out, checks = Terminal(sys.stdout), []
    for each in doctor.examine(examined(chosen_settings(args))):
        checks.append(each)
        if not args.json:
            out.line(f"{each.state:4}  {each.name:17} {each.found}", doctor_style(each.state))
            if each.advice:
                out.line(f"      {'':17} try: {each.advice}")
    verdict = doctor.worst(checks)
    if args.json:
        listed = [{"name": each.name, "state": each.state, "found": each.found, "advice": each.advice} for each in checks]
        out.json({"state": verdict, "checks": listed})
    else:
        out.line(DOCTOR_SAYS[verdict], doctor_style(verdict))
    return EXIT_FAILED if verdict == "fail" else EXIT_OK


def examined(chosen: Settings) -> doctor.Subject:
    """What doctor looks at: of the pool also the one that `iamine up` runs here, or that was found before."""
    found = finding.read_found(chosen.data_dir / finding.FOUND_NAME) if not chosen.pool else None
    return doctor.Subject(
        settings=chosen,
        key=chosen.data_dir / app.KEY_NAME,
        pins=chosen.data_dir / app.PINS_NAME,
        pool=chosen.pool or read_file(chosen.data_dir / FILE_NAME).base_url or (found.base if found else ""),
        pool_key=chosen.pool_key or (found.fingerprint if found else ""),
        at_hand=lambda: at_hand(chosen),
    )


# ---- what commands share --------------------------------------------------------------------------------------------------


def chosen_settings(args: argparse.Namespace) -> Settings:
    """Options, environment and config as one value. Raises ConfigError."""
    said = {name: getattr(args, name, None) for name in ("pool", "name", "model", "max_tps", "slots", "config", "models_dir")}
    return settings(Options(**said, auto=getattr(args, "auto", False)), os.environ, data_dir(os.environ, args.data_dir))


def at_hand(chosen: Settings) -> Catalog:
    """The model files here; hashing big ones is told on the error stream."""
    return files_at_hand(chosen, PlainScreen(sys.stderr, local_now))


def known(chosen: Settings, catalog: Catalog) -> list[Model]:
    """The manifest's models, and those at hand that it does not know."""
    entries = list(release.current(chosen.data_dir, release.today()).model)
    return entries + [file.model for file in catalog.files if not file.known]


def model_json(model: Model) -> dict[str, object]:
    """What the manifest says, as JSON values."""
    return {
        "name": model.name,
        "tier": model.tier,
        "license": model.license,
        "kind": model.kind,
        "bytes": model.total_bytes,
        "sha256": model.file_sha256,
    }


def local_now() -> datetime:
    """The time here, with its zone."""
    return datetime.now().astimezone()


def doctor_style(state: doctor.State) -> str:
    """The colour of a piece of advice."""
    return {"ok": "", "warn": "yellow", "fail": "bold red"}[state]


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
