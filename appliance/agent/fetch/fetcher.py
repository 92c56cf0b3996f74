"""A model onto the shelf: its files one after the other, each from the first source that has it and serves it right."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from appliance.agent.errors import AgentError
from appliance.agent.fetch.landing import Clock, land
from appliance.agent.fetch.rate import Rate
from appliance.agent.fetch.shelf import Shelf
from appliance.agent.fetch.sources import Broken, NotThere, Source, Wrong
from appliance.agent.fit import gigabytes
from iamine.lockfile import LockFile
from iamine.manifest import File, Model

LOCK_NAME = ".fetch.lock"


class FetchFailed(AgentError):
    """No source gave the file."""


class Progress(Protocol):
    """Who is told what happens, and measures it."""

    @property
    def rate(self) -> Rate:
        """How fast bytes came of late."""

    def begin(self, title: str, total_bytes: int) -> None:
        """A file begins."""

    def advance(self, done_bytes: int) -> None:
        """So much of it is there."""

    def end(self) -> None:
        """It ended, one way or the other."""

    def say(self, line: str) -> None:
        """Something happened."""


@dataclass(slots=True, kw_only=True)
class Fetcher:
    """`bad` collects, by source and file, what served something else than the manifest names; it is not asked for it again."""

    shelf: Shelf
    sources: Sequence[Source]
    progress: Progress
    clock: Clock = field(default_factory=Clock)
    bad: dict[tuple[str, str], str] = field(default_factory=dict)

    def fetch(self, model: Model, *, needed: Collection[str] = ()) -> Path:
        """The path of the model's first file, fetched if it is not there. Raises FetchFailed, NoRoom, Stopped.

        `needed` are hashes of models that may not be removed to make room.
        """
        self.shelf.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = LockFile(self.shelf.folder / LOCK_NAME)
        if not lock.try_take():
            raise FetchFailed(f"another process fetches into {self.shelf.folder}", hint="wait for it, or end it")
        try:
            for gone in self.shelf.make_room(model, needed):
                self.progress.say(f"removed the model {gone.sha256[:12]}, not used for longest ({gigabytes(gone.size_bytes)})")
            for file in model.file:
                if not self.shelf.has(model, file):
                    self._fetch(model, file)
            self.shelf.used(model.file_sha256)
        except OSError as error:
            hint = f"check the disk under {self.shelf.folder}"
            raise FetchFailed(f"{model.id}: {error.strerror or error}", hint=hint) from error
        finally:
            lock.release()
        return self.shelf.target(model, model.file[0])

    def _fetch(self, model: Model, file: File) -> None:
        target, why = self.shelf.target(model, file), list[str]()
        target.parent.mkdir(exist_ok=True)  # as the umask says: an engine of another user reads it
        for source in self.sources:
            if (source.name, file.sha256) in self.bad:
                continue
            self.progress.begin(f"{target.name} from {source.name}", file.bytes)
            try:
                land(source, model, file, target, told=lambda done, total: self.progress.advance(done), clock=self.clock)
            except Wrong as error:
                self.bad[source.name, file.sha256] = str(error)
                why.append(f"{source.name}: BAD: {error}")
                self.progress.say(f"{target.name}: {source.name} serves a bad file: {error}")
            except (NotThere, Broken) as error:
                why.append(f"{source.name}: {error}")
                if isinstance(error, Broken):
                    self.progress.say(f"{target.name}: {source.name}: {error}")
            else:
                self.progress.say(f"{target.name} is here, checked by its SHA-256")
                return
            finally:
                self.progress.end()
        raise FetchFailed(
            f"{model.id}: no source gave {target.name} ({'; '.join(why) or 'there is no source'})", hint=NO_SOURCE
        )


NO_SOURCE = (
    "say where models come from, in worker.toml under [fetch]: folders = [...], mirrors = [...] (servers over a models "
    'folder), hub = "https://..." (or the variable IAMINE_HUB); or put the .gguf file into the models folder'
)
