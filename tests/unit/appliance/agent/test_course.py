"""What serves, put together: which models may take its place, and who decides."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fakes.machines import made

from appliance.agent.config import FetchSettings, ListedModel, Options, Settings, settings
from appliance.agent.course import Course, pinned
from appliance.agent.models import Catalog
from appliance.agent.types import ModelFile, ModelSpec
from appliance.agent.verdict import Verdict
from iamine import manifest
from iamine.ids import ModelId

MOTE = manifest.load().model[0]
OTHER = msgspec.structs.replace(
    MOTE, id=ModelId("other"), bundled=False, file=(manifest.File(path="o.gguf", bytes=9, sha256="ab" * 32),)
)
STRANGE = msgspec.structs.replace(OTHER, id=ModelId("strange"), file=(manifest.File(path="s", bytes=9, sha256="cd" * 32),))


@dataclass
class Book:
    known: dict[str, Verdict] = field(default_factory=dict)


class Serving:
    """What is loaded and known, in memory."""

    def __init__(self, *files: ModelFile) -> None:
        self.files = files
        self.book = Book()
        self.running = 0
        self.serving = (ModelSpec(model=MOTE.id, path=Path("m"), file_sha256=MOTE.file_sha256),)

    def choose(self, files: Any) -> str:
        return "the best at hand"


class Hands:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.courses: list[str] = []

    def settle(self, course: str) -> None:
        self.courses.append(course)


def file(model: manifest.Model, *, known: bool = True) -> ModelFile:
    return ModelFile(model=model, path=Path(model.file[0].path), known=known)


def course(tmp_path: Path, chosen: Settings | None = None, *files: ModelFile) -> Course:
    held = files or (file(MOTE), file(OTHER), file(STRANGE, known=False))
    return Course(
        settings=chosen or settings(Options(), {}, tmp_path),
        machine=lambda: made(4 * 10**9),
        settling=Serving(*held),  # type: ignore[arg-type]
        screen=FakeScreen(),  # type: ignore[arg-type]
        scan=lambda: Catalog(files=held, problems=()),
        resting=lambda: False,
    )


class FakeScreen:
    """Says nothing."""

    progress_every_s = 1.0

    class board:  # noqa: N801
        chosen = failed = fetching = staticmethod(lambda *told: None)

    def say(self, line: str) -> None: ...


def test_only_files_that_a_release_knows_may_take_the_place_of_what_serves(tmp_path: Path) -> None:
    built = course(tmp_path)
    choices = built.assignment(Hands(), built.upgrade()).choices()  # type: ignore[arg-type]
    assert choices.serving is not None and choices.serving.model == "mote"
    assert [each.model for each in choices.others] == ["other"], "a file that nobody vouches for is not moved to"


def test_where_models_are_fetched_those_of_the_manifest_may_come_too(tmp_path: Path) -> None:
    wants = FetchSettings(folders=(str(tmp_path),), auto=True)
    chosen = settings(Options(), {}, tmp_path)
    built = course(tmp_path, replace(chosen, fetch=wants))
    others = built.assignment(Hands(), built.upgrade()).choices().others  # type: ignore[arg-type]
    assert {each.model for each in others if each.at_hand} == {"other"}
    assert any(not each.at_hand and each.ready_s > 60 for each in others)


async def test_what_the_pool_needed_is_not_given_up_for_a_better_model_that_lands(tmp_path: Path) -> None:
    built = course(tmp_path)
    upgrade = built.upgrade()
    assignment = built.assignment(Hands(), upgrade)  # type: ignore[arg-type]
    assert upgrade.choose(built.scan()) == "the best at hand"
    assignment.wished = OTHER.id
    planned = upgrade.choose(built.scan())
    assert [spec.model for spec in planned.specs] == ["other"] and planned.reasons[0].startswith("other: the pool lacks it;")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"model": "mote"}, "its owner named it"),
        ({"models": (ListedModel(path="x"),)}, "its owner listed it"),
        ({"models": (ListedModel(path="x", kind="embedding"),)}, ""),
    ],
)
def test_what_its_owner_wants_stays(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    assert pinned(replace(settings(Options(), {}, tmp_path), **changes)) == why
