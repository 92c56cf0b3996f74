"""`iamine fetch`: which sources are asked and which model is wanted."""

from pathlib import Path

import pytest
from fakes.machines import card, made

from appliance.agent.config import FetchSettings, Options, settings
from appliance.agent.errors import ConfigError
from appliance.agent.fetch import Folder, PlainProgress, Shelf
from appliance.agent.fetching import run, sources, wanted
from iamine.manifest import load

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
    assert [rung.model.id for rung in wanted(load(), "", machine, ["mote"], chosen)] == ["qwen3.5-4b", "qwen3.6-27b"]
    assert wanted(load(), "", machine, ["qwen3.6-27b"], chosen) == ()
    (asked,) = wanted(load(), "qwen3.5-9b", machine, [], chosen)
    assert (asked.model.id, asked.reason) == ("qwen3.5-9b", "asked for")
    for name in ("nothing", "mote"):
        with pytest.raises(ConfigError, match="no model") as caught:
            wanted(load(), name, machine, [], chosen)
        assert "qwen3.5-9b" in caught.value.hint


def test_without_a_source_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing says where") as caught:
        list(run((), (), Shelf(folder=tmp_path), PROGRESS))
    for name in ("folders", "mirrors", "hub", "IAMINE_HUB"):
        assert name in caught.value.hint


def test_models_that_cannot_be_had_are_an_error_that_names_the_sources(tmp_path: Path) -> None:
    rungs = wanted(load(), "qwen3.5-0.8b", made(GB), [], settings(Options(), {}, tmp_path))
    with pytest.raises(Exception, match=r"no source gave .*empty has no Qwen3.5-0.8B-Q4_K_M.gguf"):
        list(run(rungs, (Folder(path=tmp_path / "empty"),), Shelf(folder=tmp_path), PROGRESS))
