"""The course of what serves, put together: better models that land, and what the pool lacks."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import SystemRandom

from appliance.agent import fetching, fit
from appliance.agent.assignment import Assignment, Choices
from appliance.agent.config import Settings
from appliance.agent.fetch import Folder, PlainProgress, Shelf, Source
from appliance.agent.machine import Hardware
from appliance.agent.models import Catalog
from appliance.agent.moving import Option, option
from appliance.agent.peers import peers
from appliance.agent.plan import Plan, plan
from appliance.agent.screen import Screen
from appliance.agent.settling import Settling
from appliance.agent.upgrade import Fetch, Landed, Upgrade, in_thread
from appliance.agent.worker import Worker
from iamine import release
from iamine.ids import ModelId
from iamine.manifest import Manifest, Model

FETCH_BYTES_PER_S = 5e6  # taken for a line that nobody measured


@dataclass(slots=True, kw_only=True)
class Course:
    """What both need: `machine` is the machine as it may be used, `scan` looks what is at hand, `pool` is the pool's base."""

    settings: Settings
    machine: Callable[[], Hardware]
    settling: Settling
    screen: Screen
    scan: Callable[[], Catalog]
    resting: Callable[[], bool]
    pool: str = ""
    _assigned: Assignment | None = None

    def upgrade(self) -> Upgrade:
        """What moves to better models as they land; it fetches where the settings want that."""
        return Upgrade(
            engines=self.settling,
            loaded=self.settling.serving,
            fetch=self._fetch_better,
            scan=self.scan,
            choose=self._choose,
            say=self.screen.say,
            resting=self.resting,
            chosen=self.screen.board.chosen,
            failed=self.screen.board.failed,
        )

    def assignment(self, worker: Worker, upgrade: Upgrade) -> Assignment:
        """What follows the pool's demand."""
        self._assigned = Assignment(
            hands=worker,
            mover=upgrade,
            choices=lambda: self._choices(upgrade),
            chosen=self._plan_for,
            good=lambda sha256: sha256 not in self.settling.book.known or self.settling.book.known[sha256].good,
            running=lambda: self.settling.running,
            resting=self.resting,
            draw=SystemRandom().random,
            clock=time.monotonic,
            say=self.screen.say,
            fetch=self._fetch,
            failed=self.screen.board.failed,
            pinned=pinned(self.settings),
        )
        return self._assigned

    # ---- models that land -----------------------------------------------------------------------------------------------

    @property
    def _fetches(self) -> bool:
        return self.settings.fetch.auto and not self.settings.model

    def _manifest(self) -> Manifest:
        return release.current(self.settings.data_dir, release.today())

    def _fetch_better(self, stopped: Callable[[], bool]) -> Landed:
        """What this machine should have, best last."""
        if not self._fetches:
            return iter(())
        here = [spec.model for spec in self.settling.serving]
        against = [sha256 for sha256, known in self.settling.book.known.items() if not known.good]
        wanted = fetching.wanted(self._manifest(), "", self.machine(), here, self.settings, against)
        return self._run(wanted, stopped)

    def disk(self, path: Path) -> Fetch:
        """What is better in that folder than what serves: only models that the manifest knows, each checked by its hash."""

        def fetch(stopped: Callable[[], bool]) -> Landed:
            folder = Folder(path=path)
            here = [spec.model for spec in self.settling.serving]
            against = [sha256 for sha256, known in self.settling.book.known.items() if not known.good]
            wanted = fetching.wanted(
                fetching.held_by(self._manifest(), folder), "", self.machine(), here, self.settings, against
            )  # fmt: skip
            yield from self._run(wanted, stopped, (folder,))

        return fetch

    def _run(self, wanted: fetching.Wanted, stopped: Callable[[], bool], places: Sequence[Source] = ()) -> Landed:
        shelf, screen = Shelf(folder=self.settings.models_dir), self.screen
        progress = PlainProgress(screen.say, time.monotonic, screen.progress_every_s, screen.board.fetching)
        keep = [spec.file_sha256 for spec in self.settling.serving]
        asked = (lambda: places) if places else self._places
        return fetching.run(wanted, asked, shelf, progress, stopped=stopped, keep=keep)

    def _places(self) -> Sequence[Source]:
        """Where to ask, neighbours too; looking for them takes seconds."""
        found = peers(self.screen.say) if self.settings.fetch.lan else ()
        return fetching.sources(self.settings.fetch, peers=found, pool=self.pool)

    def _choose(self, catalog: Catalog) -> Plan:
        """The best that is here now; but what the pool needed last stays."""
        self.settling.files = catalog.files
        wished = self._assigned.wished if self._assigned else None
        planned = self._plan_for(wished) if wished is not None else None
        return planned if planned is not None and not planned.problem else self.settling.choose(catalog.files)

    # ---- what the pool lacks --------------------------------------------------------------------------------------------

    def _choices(self, upgrade: Upgrade) -> Choices:
        """The model that chats now, and the others that the release's manifest knows and that fit."""
        room, known = fit.budget(self.machine(), use_gpu=self.settings.gpu), self.settling.book.known
        here = [file.model for file in self.settling.files if file.known]
        loaded = {spec.file_sha256 for spec in upgrade.loaded}
        found = [each for model in here if (each := option(model, room, known)) is not None]
        serving = next((each for each in found if each.file_sha256 in loaded), None)
        others = [each for each in found if each.file_sha256 not in loaded]
        if self._fetches and fetching.sources(self.settings.fetch):  # what neighbours have is not known beforehand
            others += self._elsewhere(here, room)
        return Choices(serving=serving, others=others)

    def _elsewhere(self, here: list[Model], room: fit.Budget) -> list[Option]:
        hashes = {model.file_sha256 for model in here}
        models = [model for model in self._manifest().model if model.file_sha256 not in hashes and not model.bundled]
        found = (option(model, room, self.settling.book.known, fetch_bytes_per_s=FETCH_BYTES_PER_S) for model in models)
        return [each for each in found if each is not None]

    def _plan_for(self, model: ModelId) -> Plan:
        planned = plan(replace(self.settings, model=model), self.machine(), self.settling.files, self.settling.book.known)
        reasons = [reason.replace(f"{model}: asked for", f"{model}: the pool lacks it") for reason in planned.reasons]
        return replace(planned, reasons=tuple(reasons))

    def _fetch(self, model: ModelId) -> "asyncio.Future[None]":
        """Get the model's file; then it is at hand."""

        def work() -> Catalog:
            here = [file.model.id for file in self.settling.files]
            wanted = fetching.wanted(self._manifest(), model, self.machine(), here, self.settings)
            for _ in self._run(wanted, lambda: False):
                pass
            return self.scan()

        async def fetched() -> None:
            self.settling.files = (await in_thread(work)).files

        return asyncio.ensure_future(fetched())


def pinned(settings: Settings) -> str:
    """Why this worker serves what it serves, whatever the pool lacks; "" when it may move."""
    if settings.model:
        return "its owner named it"
    return "its owner listed it" if any(listed.kind != "embedding" for listed in settings.models) else ""
