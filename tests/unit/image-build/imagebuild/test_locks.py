"""Parts of a lock."""

from pathlib import Path

import pytest
from imagebuild.errors import BuildError
from imagebuild.locks import only, words

ROOT = Path(__file__).parents[4]
LOCK = "a==1 \\\n    --hash=sha256:1\n    # via x\nab==2 \\\n    --hash=sha256:2\na==3 ; python_version < '3'\n"


def test_whole_blocks_of_the_names_and_no_others() -> None:
    assert only(LOCK, ["a"]) == "a==1 \\\n    --hash=sha256:1\n    # via x\na==3 ; python_version < '3'\n"
    assert only(LOCK, ["ab"]) == "ab==2 \\\n    --hash=sha256:2\n"


def test_a_package_that_is_not_locked_is_an_error() -> None:
    with pytest.raises(BuildError, match="not in the lock: zz"):
        only(LOCK, ["a", "zz"])


def test_the_workers_packages_are_locked() -> None:
    names = words((ROOT / "image-build/packages/python.txt").read_text())
    assert "sanic" not in names and only((ROOT / "requirements/runtime.txt").read_text(), names)


def test_words() -> None:
    assert words("# no\n\n a \nb\n  # no\n") == ["a", "b"]
