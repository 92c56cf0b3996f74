"""`just accept [NAME...]`: real clients against a real `iamine up`: with mote, and with a scripted worker on the same wire."""

import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "acceptance")]

from environments import HOME, ROOT, CannotMake, Environment, make_node, node_versions, say  # noqa: E402
from house import House, free_port, wait_for  # noqa: E402

CLIENT_S = 600.0  # for all tests of one client
JOIN_S = 60.0
SDKS, INSTRUCTOR, AIDER = Environment("sdks"), Environment("instructor"), Environment("aider", newest=(3, 12))


@dataclass(frozen=True)
class Client:
    """A client: where it runs, the package whose version is told, and whether it lives in node."""

    name: str
    package: str
    environment: Environment = SDKS
    node: bool = False

    @property
    def version(self) -> str:
        return (node_versions() if self.node else self.environment.versions())[self.package]


CLIENTS = (
    Client("openai", "openai"),
    Client("anthropic", "anthropic"),
    Client("langchain", "langchain-openai"),
    Client("instructor", "instructor", INSTRUCTOR),
    Client("pydantic_ai", "pydantic-ai-slim"),
    Client("agents", "openai-agents"),
    Client("llm", "llm"),
    Client("ai_sdk", "ai", node=True),
    Client("aider", "aider-chat", AIDER),
    Client("opencode", "opencode-ai", node=True),
    Client("harmony", "openai-harmony", AIDER),
)


@dataclass(frozen=True)
class Outcome:
    """How a client's tests ended: names of those that failed, and counts of the others by what drove them."""

    mote: int = 0
    scripted: int = 0
    neither: int = 0
    beyond: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    why: str = ""

    def line(self, client: Client) -> str:
        told = "failed" if self.failed else "not run" if self.why else "passed"
        counts = {
            "by mote": self.mote,
            "scripted": self.scripted,
            "by neither": self.neither,
            "beyond mote": self.beyond,
            "skipped": self.skipped,
        }
        shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        what = self.why or shown + "".join(f"\n    {name}" for name in self.failed)
        return f"{client.package:<18} {client.version:<10} {told:<8} {what}"


def main(names: list[str]) -> int:
    known = {client.name: client for client in CLIENTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"error: there is no client {unknown[0]!r}\ntry: {', '.join(known)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing that was started is left behind
    chosen = [known[name] for name in names] or list(CLIENTS)
    with house() as pool:
        outcomes = [(client, tried(client, pool)) for client in chosen]
    print()
    for client, outcome in outcomes:
        print(outcome.line(client))
    return 1 if any(outcome.failed for _, outcome in outcomes) else 0


@contextmanager
def house() -> Iterator[House]:
    """`iamine up` with mote, and the scripted worker."""
    with tempfile.TemporaryDirectory(prefix="iamine-accept-") as folder:
        pool = House(Path(folder) / "house", free_port())
        try:
            say("starting iamine up, with mote and the scripted worker")
            pool.start()
            environ = os.environ | {"PYTHONPATH": f"{ROOT}:{HERE}"}
            puppet = [sys.executable, "-m", "puppet", pool.url, str(pool.data_dir / "puppet")]
            with (pool.data_dir / "puppet.out").open("wb") as out:
                pool.extra.append(subprocess.Popen(puppet, stdout=out, stderr=out, cwd=ROOT, env=environ))
            wait_for(lambda: pool.joined() == 2, JOIN_S, "the scripted worker joined")
            yield pool
            pool.stop()
        finally:
            pool.end()


def tried(client: Client, pool: House) -> Outcome:
    """Make the client's environment and run its tests there."""
    try:
        python = (SDKS if client.node else client.environment).make()
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environ |= {"ACCEPT_URL": pool.url, "ACCEPT_KEY": pool.key, "PYTHONDONTWRITEBYTECODE": "1"}
        if client.node:
            environ["ACCEPT_NODE"] = str(make_node())
    except CannotMake as error:
        return Outcome(why=str(error))
    say(f"{client.package} {client.version}")
    report = HOME / f"{client.name}.xml"
    report.unlink(missing_ok=True)
    folder = HERE / "clients"
    command = [str(python), "-m", "pytest", "-q", "-c", str(folder / "pytest.ini"), f"--junitxml={report}"]
    try:
        subprocess.run([*command, f"check_{client.name}.py"], cwd=folder, env=environ, timeout=CLIENT_S, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(failed=(f"not done in {CLIENT_S:g} s",))
    return outcome(report)


def outcome(report: Path) -> Outcome:
    """What pytest wrote about its tests."""
    if not report.is_file():
        return Outcome(failed=("pytest itself failed: see above",))
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = [case.get("name", "") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skips = [skip.get("type", "") for case in cases if (skip := case.find("skipped")) is not None]
    passed = [f"{case.get('classname')} {case.get('name')}".lower() for case in cases if len(case) == 0]
    scripted = sum("scripted" in name for name in passed)
    mote = sum("mote" in name and "scripted" not in name for name in passed)
    return Outcome(
        mote=mote,
        scripted=scripted,
        neither=len(passed) - mote - scripted,
        beyond=skips.count("pytest.xfail"),
        skipped=len(skips) - skips.count("pytest.xfail"),
        failed=tuple(failed) or (() if cases else ("no test was found",)),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
