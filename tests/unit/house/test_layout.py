"""The layout: the top level that was given, files that hold one idea, functions that can be read at once."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "appliance", "bench", "docs", "iamine",
    "image-build", "justfile", "mote", "pool", "pyproject.toml", "requirements", "run", "tests",
}  # fmt: skip
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
PURE = (
    "iamine/wire", "iamine/identity.py", "iamine/ids.py", "iamine/sealing.py", "iamine/work.py",
    "pool/routing", "pool/openai", "pool/toolcalls",
    "appliance/agent/plan.py", "appliance/agent/fit.py", "appliance/agent/throughput.py", "appliance/agent/backoff.py",
    "appliance/agent/held.py", "appliance/agent/regard.py", "appliance/agent/schedule.py", "appliance/agent/verdict.py",
    "appliance/agent/fetch/rungs.py", "appliance/agent/fetch/room.py", "appliance/agent/fetch/rate.py",
    "appliance/agent/machine.py", "appliance/agent/view.py", "appliance/agent/moving.py", "appliance/agent/qr.py",
    "appliance/agent/layout.py", "appliance/agent/hour.py",
    "appliance/agent/slots.py", "appliance/agent/board.py",
    "appliance/agent/probe/devices.py", "appliance/agent/probe/answers.py",
    "appliance/agent/processor.py", "appliance/firstboot/steps.py", "appliance/firstboot/settings.py",
    "appliance/firstboot/render.py", "appliance/medium/grubenv.py", "appliance/medium/ids.py", "appliance/slots/verdict.py",
    "appliance/console/view.py",
)  # fmt: skip
IMPURE_IMPORTS = {"asyncio", "logging", "os", "random", "secrets", "socket", "subprocess", "threading", "time", "urllib"}
HOSTS = re.compile(
    r"(pypi|pythonhosted|debian|npmjs|huggingface|github|githubusercontent|ghcr|docker)\.(org|com|co|io)\b", re.IGNORECASE
)


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would take, so that a new file is checked before it is committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


PYTHON = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in tracked("*.py")]


def test_the_top_level_is_the_one_that_was_given() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


@pytest.mark.parametrize("path", PYTHON)
def test_a_file_holds_one_idea_and_a_function_can_be_read_at_once(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, f"{node.name} is too long"


@pytest.mark.parametrize("path", [p for p in PYTHON if str(p.id).split("/")[0] in ("iamine", "pool", "appliance", "mote")])
def test_a_module_says_what_it_is(path: Path) -> None:
    source = path.read_text()
    assert not source.strip() or ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("path", [p for p in PYTHON if str(p.id).startswith(PURE)])
def test_pure_modules_import_nothing_that_acts(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & IMPURE_IMPORTS


def test_rootfs_is_declarative() -> None:
    assert not [path for path in tracked("appliance/rootfs") if path.suffix == ".py"]


def test_no_file_names_a_registry_host() -> None:
    texts = [path for path in tracked() if path.suffix not in (".gguf", ".png", ".bin") and path != Path(__file__)]
    named = {str(path.relative_to(ROOT)): HOSTS.search(path.read_text(errors="replace")) for path in texts}
    assert {name: hit.group() for name, hit in named.items() if hit} == {}


def test_unit_tests_mirror_the_packages() -> None:
    """The test of a/b.py is tests/unit/a/test_b.py; a package's test may bear the package's name."""
    for path in tracked("tests/unit/*.py"):
        relative = path.relative_to(ROOT / "tests/unit")
        if not path.name.startswith("test_") or relative.parts[0] in ("house", "mote", "run"):
            continue
        tested = ROOT / relative.parent / path.name.removeprefix("test_")
        assert tested.is_file() or tested.with_suffix("").is_dir(), f"{relative} tests nothing that exists"
