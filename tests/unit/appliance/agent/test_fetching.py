"""`iamine fetch`: which sources are asked and which model is wanted."""

import hashlib
import math
from pathlib import Path

import pytest
from fakes.machines import card, made

from appliance.agent.config import FetchSettings, Options, settings
from appliance.agent.errors import ConfigError
from appliance.agent.fetch import FetchFailed, Folder, PlainProgress, Rung, Shelf, Stopped
from appliance.agent.fetching import held_by, run, sources, wanted
from iamine.ids import ModelId
from iamine.manifest import File, Model, load

GB = 10**9
PROGRESS = PlainProgress(lambda line: None, lambda: 0.0)


def test_sources_come_in_order_what_was_typed_first() -> None:
    chosen = FetchSettings(folders=("/stick",), mirrors=("http://peer:8000",), hub="https://hub.example")
    names = [each.name for each in sources(chosen, ("http://typed", "/typed"))]
    assert names == ["http://typed", "/typed", "/stick", "http://peer:8000", "https://hub.example"]
    assert sources(FetchSettings()) == ()


def test_the_best_is_wanted_or_the_one_named(tmp_path: Path) -> None:
    chosen = settings(Options(), {}, tmp_path)
    machine = made(8 * GB, card("A", 24 * GB, 23 * GB, gb_per_s=900))
    best = wanted(load(), "", machine, ["mote"], chosen)
    assert [rung.model.id for rung in best(5e6)] == ["qwen3.5-4b", "qwen3.6-27b"]
    assert [rung.model.id for rung in best(math.inf)] == ["qwen3.6-27b"]
    assert wanted(load(), "", machine, ["qwen3.6-27b"], chosen)(1.0) == ()
    (asked,) = wanted(load(), "qwen3.5-9b", machine, [], chosen)(1.0)
    assert (asked.model.id, asked.reason) == ("qwen3.5-9b", "asked for")
    for name in ("nothing", "mote"):
        with pytest.raises(ConfigError, match="no model") as caught:
            wanted(load(), name, machine, [], chosen)
        assert "qwen3.5-9b" in caught.value.hint


def test_without_a_source_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing says where") as caught:
        list(run(lambda bytes_per_s: (SMALL,), tuple, Shelf(folder=tmp_path), PROGRESS))
    for name in ("folders", "mirrors", "hub", "IAMINE_HUB"):
        assert name in caught.value.hint
    assert list(run(lambda bytes_per_s: (), lambda: pytest.fail(), Shelf(folder=tmp_path), PROGRESS)) == []


def test_models_that_cannot_be_had_are_an_error_that_names_the_sources(tmp_path: Path) -> None:
    best = wanted(load(), "qwen3.5-0.8b", made(GB), [], settings(Options(), {}, tmp_path))
    with pytest.raises(FetchFailed, match=r"no source gave .*empty has no Qwen3.5-0.8B-Q4_K_M.gguf"):
        list(run(best, lambda: (Folder(path=tmp_path / "empty"),), Shelf(folder=tmp_path), PROGRESS))


def model(stick: Path, name: str, size: int) -> Rung:
    """A model of so many bytes that lies on the stick."""
    content = name.encode() * (size // len(name))
    (stick / f"{name}.gguf").write_bytes(content)
    file = File(path=f"{name}.gguf", bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    entry = Model(id=ModelId(name), name=name, tier="small", license="MIT", parameters=1, context=1, file=(file,))
    return Rung(model=entry, reason="r")


class Steps:
    """A clock that goes on by so much each time it is read."""

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


@pytest.mark.parametrize(("step_s", "order"), [(0.001, ["large"]), (6.0, ["small", "large"])])
def test_how_fast_the_best_comes_decides_whether_a_smaller_one_goes_first(
    step_s: float, order: list[str], tmp_path: Path
) -> None:
    large, small = model(tmp_path, "large", 5 << 20), model(tmp_path, "small", 1000)
    clock, lines = Steps(step_s), list[str]()

    def choose(bytes_per_s: float) -> tuple[Rung, ...]:
        return (large,) if bytes_per_s > 1e7 else (small, large)

    progress = PlainProgress(lines.append, clock)
    found = run(choose, lambda: (Folder(path=tmp_path),), Shelf(folder=tmp_path / "models"), progress, now=clock)
    assert [each.id for each, _ in found] == order


def test_whoever_stops_it_is_heard(tmp_path: Path) -> None:
    large = model(tmp_path, "large", 5 << 20)
    with pytest.raises(Stopped):
        list(
            run(
                lambda _: (large,),
                lambda: (Folder(path=tmp_path),),
                Shelf(folder=tmp_path / "m"),
                PROGRESS,
                stopped=lambda: True,
            )
        )


SMALL = Rung(model=load().model[1], reason="r")


def test_only_models_whose_files_all_lie_in_a_folder_are_held_by_it(tmp_path: Path) -> None:
    (wanted_file,) = SMALL.model.file
    folder, path = Folder(path=tmp_path), tmp_path / Path(wanted_file.path).name
    assert held_by(load(), folder).model == ()
    with path.open("wb") as file:
        file.truncate(wanted_file.bytes)  # sparse
    assert held_by(load(), folder).model == (SMALL.model,)
    with path.open("ab") as file:
        file.truncate(wanted_file.bytes - 1)
    assert held_by(load(), folder).model == (), "of another size"
