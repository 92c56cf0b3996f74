"""The models folder: fetched models by hash, and a person's own files beside them."""

import os
from pathlib import Path

import pytest

from appliance.agent.fetch.room import RESERVE_BYTES
from appliance.agent.fetch.shelf import NoRoom, Shelf
from iamine.ids import ModelId
from iamine.manifest import File, Model


def model(size: int, digit: str = "a") -> Model:
    file = File(path="sub/m.gguf", bytes=size, sha256=digit * 64)
    return Model(id=ModelId("m"), name="m", tier="small", license="MIT", parameters=1, context=1, file=(file,))


def test_what_has_landed_and_what_is_missing(tmp_path: Path) -> None:
    shelf, wanted = Shelf(folder=tmp_path), model(10)
    target = shelf.target(wanted, wanted.file[0])
    assert target == tmp_path / ("a" * 64) / "m.gguf"
    assert (shelf.has(wanted, wanted.file[0]), shelf.missing_bytes(wanted)) == (False, 10)
    target.parent.mkdir()
    (target.parent / "m.gguf.part").write_bytes(b"1234")
    assert (shelf.has(wanted, wanted.file[0]), shelf.missing_bytes(wanted)) == (False, 6)
    target.write_bytes(bytes(10))
    assert (shelf.has(wanted, wanted.file[0]), shelf.missing_bytes(wanted)) == (True, 0)


def test_use_is_remembered_and_only_folders_named_by_a_hash_are_ours(tmp_path: Path) -> None:
    shelf = Shelf(folder=tmp_path / "later")
    assert shelf.kept() == ()
    for name in ("a" * 64, "b" * 64, "my own"):
        (tmp_path / "later" / name).mkdir(parents=True)
        (tmp_path / "later" / name / "m.gguf").write_bytes(bytes(7))
        os.utime(tmp_path / "later" / name, (1, 1))
    (tmp_path / "later" / "mine.gguf").touch()
    shelf.used("b" * 64)
    shelf.used("c" * 64)
    old, new = shelf.kept()
    assert (old.sha256[0], new.sha256[0], old.size_bytes) == ("a", "b", 7)
    assert new.used_at > old.used_at


def test_a_model_beyond_the_disk_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    kept = tmp_path / ("b" * 64)
    kept.mkdir()
    with pytest.raises(NoRoom, match="does not fit on the disk") as caught:
        Shelf(folder=tmp_path).make_room(model(10**18))
    assert str(tmp_path) in caught.value.hint
    assert kept.exists()
    assert Shelf(folder=tmp_path).make_room(model(10)) == ()


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    for at, digit in enumerate("bcd"):
        (tmp_path / (digit * 64)).mkdir()
        (tmp_path / (digit * 64) / "m.gguf").write_bytes(bytes(1000))
        os.utime(tmp_path / (digit * 64), (at + 1, at + 1))
    shelf = Shelf(folder=tmp_path, free_bytes=lambda folder: RESERVE_BYTES)
    assert [each.sha256[0] for each in shelf.make_room(model(900), needed=["b" * 64])] == ["c"]
    assert sorted(each.name[0] for each in tmp_path.iterdir()) == ["b", "d"]
