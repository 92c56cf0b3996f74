"""Stages are made once for the same inputs, whole or not at all."""

import subprocess
from pathlib import Path

import pytest
from imagebuild.errors import BuildError
from imagebuild.stage import KEPT_PER_STAGE, Shelf, digest, remove


def fill(folder: Path, log: Path) -> None:
    (folder / "made").write_text("x")


def test_a_stage_is_made_once_and_the_oldest_forgotten(tmp_path: Path) -> None:
    shelf, made = Shelf(tmp_path), list[str]()

    def make(folder: Path, log: Path) -> None:
        made.append(folder.name)
        fill(folder, log)

    for key in ("1", "1", "2", "3"):
        assert (shelf.take("base", key, "a tree", make) / "made").exists()
    assert len(made) == 3
    assert len(list(tmp_path.glob("base-*"))) == KEPT_PER_STAGE and (tmp_path / "base-3").is_dir()


def test_a_stage_that_fails_leaves_nothing_that_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(folder: Path, log: Path) -> None:
        fill(folder, log)
        log.write_text("the reason\n")
        raise BuildError("a command ended with 1", hint="try again")

    with pytest.raises(BuildError, match="base: a command ended with 1"):
        Shelf(tmp_path).take("base", "1", "a tree", fails)
    assert "the reason" in capsys.readouterr().err and not (tmp_path / "base-1").exists()
    assert (Shelf(tmp_path).take("base", "1", "a tree", fill) / "made").exists()


def test_content_name_and_mode_count_and_caches_do_not(tmp_path: Path) -> None:
    path = tmp_path / "d" / "a"
    path.parent.mkdir()
    path.write_text("1")
    seen = {digest(["x", tmp_path / "d"], tmp_path)}
    (tmp_path / "d" / "__pycache__").mkdir()
    (tmp_path / "d" / "__pycache__" / "a.pyc").write_text("1")
    assert digest(["x", tmp_path / "d"], tmp_path) in seen
    path.chmod(0o755)
    seen.add(digest(["x", tmp_path / "d"], tmp_path))
    path.write_text("2")
    seen.add(digest(["x", tmp_path / "d"], tmp_path))
    path.rename(path.with_name("b"))
    seen.add(digest(["x", tmp_path / "d"], tmp_path))
    (tmp_path / "d" / "l").symlink_to("b")
    seen.add(digest(["x", tmp_path / "d"], tmp_path))
    seen.add(digest(["y", tmp_path / "d"], tmp_path))
    assert len(seen) == 6


def test_an_interrupted_stage_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted(folder: Path, log: Path) -> None:
        fill(folder, log)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Shelf(tmp_path).take("base", "1", "a tree", interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["base.log"]


def test_a_tree_that_is_still_written_to_goes_too(tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    folder.mkdir()
    script = f"for n in 1 2 3 4 5; do mkdir -p {folder}; for m in 1 2 3 4 5 6 7 8 9; do : >{folder}/$n$m; done; done"
    writer = subprocess.Popen(["sh", "-c", script])
    remove(folder)
    writer.wait(10)
    remove(folder)
    assert not folder.exists()
