"""`iamine fetch`: the best model for this machine, or a named one, from the sources that the settings name."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from msgspec import structs

from appliance.agent import fit
from appliance.agent.config import FetchSettings, Settings
from appliance.agent.errors import ConfigError
from appliance.agent.fetch import (
    NO_SOURCE,
    Clock,
    Fetcher,
    Folder,
    Progress,
    Rung,
    Shelf,
    Source,
    Stopped,
    hub,
    mirror,
    rungs,
)
from appliance.agent.machine import Hardware
from iamine.manifest import Manifest, Model

SOUND_S = 10.0
Wanted = Callable[[float], tuple[Rung, ...]]  # what to fetch in order, on a line of so many bytes per second


def sources(
    chosen: FetchSettings, extra: Sequence[str] = (), *, peers: Sequence[str] = (), pool: str = ""
) -> tuple[Source, ...]:
    """Where to ask, in order: `extra` first (folders or mirrors), the settings' folders and mirrors, `peers` that share their
    models on the local network, the pool (its base address, "" for none), the hub.
    """
    said = [mirror(each) if "://" in each else Folder(path=Path(each).expanduser().absolute()) for each in extra]
    folders = [Folder(path=Path(each)) for each in chosen.folders]
    webs = [mirror(each) for each in dict.fromkeys((*chosen.mirrors, *peers, *([f"{pool}/files"] if pool else [])))]
    return (*said, *folders, *webs, *([hub(chosen.hub)] if chosen.hub else []))


def held_by(manifest: Manifest, folder: Folder) -> Manifest:
    """The manifest's models whose files seem to lie in the folder."""
    return structs.replace(manifest, model=tuple(model for model in manifest.model if not model.bundled and folder.has(model)))


def wanted(
    manifest: Manifest, named: str, machine: Hardware, at_hand: Sequence[str], chosen: Settings, against: Collection[str] = ()
) -> Wanted:
    """The named model, or those that this machine should have, in order. Raises ConfigError for an unknown name.

    `against` are hashes of files that were tried here and given up.
    """
    known = [model for model in manifest.model if not model.bundled]
    if not named:
        room = fit.budget(machine, use_gpu=chosen.gpu)
        able = [model for model in known if model.file_sha256 not in against]
        return lambda bytes_per_s: rungs(room, able, at_hand, bytes_per_s=bytes_per_s)
    model = manifest.find(named)
    if model is None or model.bundled:
        names = ", ".join(each.id for each in known)
        raise ConfigError(f"the manifest has no model {named!r} to fetch", hint=f"one of these: {names}")
    asked = Rung(model=model, reason="asked for")
    return lambda bytes_per_s: (asked,)


def run(
    wanted: Wanted,
    places: Callable[[], Sequence[Source]],
    shelf: Shelf,
    progress: Progress,
    *,
    stopped: Callable[[], bool] = lambda: False,
    keep: Collection[str] = (),
    now: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Model, Path]]:
    """Fetch the models in order and yield each as it lands; `keep` are hashes that may not go to make room.

    `places` is asked once there is something to fetch: looking for peers takes seconds. The best model is begun for `SOUND_S`:
    how fast it comes decides whether a smaller one goes first; what came is kept.
    Raises ConfigError without a source, FetchFailed, NoRoom, Stopped.
    """
    best = wanted(math.inf)
    if not best:
        return
    sources = places()
    if not sources:
        raise ConfigError("nothing says where models are fetched from", hint=NO_SOURCE)
    needed = {*keep, best[-1].model.file_sha256}
    fetcher = Fetcher(shelf=shelf, sources=sources, progress=progress)
    end = now() + SOUND_S
    fetcher.clock = Clock(stopped=lambda: stopped() or (now() > end and len(wanted(progress.rate.bytes_per_s or 1.0)) > 1))
    progress.say(f"{best[-1].model.id}: {best[-1].reason}")
    try:
        yield best[-1].model, fetcher.fetch(best[-1].model, needed=needed)
        return
    except Stopped:
        if stopped():
            raise
    fetcher.clock = Clock(stopped=stopped)
    for rung in wanted(progress.rate.bytes_per_s or 1.0):
        progress.say(f"{rung.model.id}: {rung.reason}")
        yield rung.model, fetcher.fetch(rung.model, needed={*needed, rung.model.file_sha256})
