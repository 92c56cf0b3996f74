"""`iamine fetch`: the best model for this machine, or a named one, from the sources that the settings name."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

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
    hub,
    mirror,
    rungs,
)
from appliance.agent.machine import Hardware
from iamine.manifest import Manifest, Model


def sources(chosen: FetchSettings, extra: Sequence[str] = ()) -> tuple[Source, ...]:
    """Where to ask, in order: `extra` first (folders or mirrors), then the settings' folders, mirrors and hub."""
    said = [mirror(each) if "://" in each else Folder(path=Path(each).expanduser().absolute()) for each in extra]
    folders = [Folder(path=Path(each)) for each in chosen.folders]
    return (*said, *folders, *(mirror(each) for each in chosen.mirrors), *([hub(chosen.hub)] if chosen.hub else []))


def wanted(manifest: Manifest, named: str, machine: Hardware, at_hand: Sequence[str], chosen: Settings) -> tuple[Rung, ...]:
    """The named model, or those that this machine should have, in order. Raises ConfigError for an unknown name."""
    known = [model for model in manifest.model if not model.bundled]
    if not named:
        return rungs(fit.budget(machine, use_gpu=chosen.gpu), known, at_hand)
    model = manifest.find(named)
    if model is None or model.bundled:
        names = ", ".join(each.id for each in known)
        raise ConfigError(f"the manifest has no model {named!r} to fetch", hint=f"one of these: {names}")
    return (Rung(model=model, reason="asked for"),)


def run(
    rungs: Sequence[Rung],
    places: Sequence[Source],
    shelf: Shelf,
    progress: Progress,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Model, Path]]:
    """Fetch them in order and yield each as it lands. Raises ConfigError without a source, FetchFailed, NoRoom, Stopped."""
    if not places:
        raise ConfigError("nothing says where models are fetched from", hint=NO_SOURCE)
    fetcher = Fetcher(shelf=shelf, sources=places, progress=progress, clock=Clock(stopped=stopped))
    for rung in rungs:
        progress.say(f"{rung.model.id}: {rung.reason}")
        yield rung.model, fetcher.fetch(rung.model, needed=[each.model.file_sha256 for each in rungs])
