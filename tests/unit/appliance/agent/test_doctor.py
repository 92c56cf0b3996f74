"""Each check says what is wrong and what to do."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.machines import card, made

from appliance.agent import doctor
from appliance.agent.machine import Device
from appliance.agent.models import Catalog
from appliance.agent.types import ModelFile
from iamine.errors import IamineError
from iamine.manifest import load

MOTE = ModelFile(model=load().model[0], path=Path("/m"), known=True)
CATALOG = Catalog(files=(MOTE,), problems=("/x: partial; finish the download",))


def test_python() -> None:
    assert doctor.python((3, 10)).state == "ok"
    assert doctor.python((3, 9)).state == "fail"


@pytest.mark.parametrize(
    ("code", "state", "found"),
    [
        ("print('0.3')", "ok", "0.3"),
        ("raise ImportError('no llama')", "fail", "no llama"),
        ("raise SystemExit(1)", "fail", "no message"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "fail", "signal 9"),
    ],
)
def test_the_engine_is_tried_in_a_child(code: str, state: str, found: str) -> None:
    check = doctor.engine((sys.executable, "-c", code))
    assert (check.state, found in check.found, bool(check.advice)) == (state, True, state == "fail")


def test_an_engine_that_cannot_start_fails() -> None:
    assert doctor.engine(("/does/not/exist",)).state == "fail"


def test_models_and_their_problems() -> None:
    checks = list(doctor.model_files(CATALOG))
    assert [check.state for check in checks] == ["ok", "warn"]
    assert (checks[1].found, checks[1].advice) == ("/x: partial", "finish the download")
    assert next(doctor.model_files(Catalog(files=(), problems=()))).state == "fail"


def test_memory() -> None:
    assert doctor.memory(made(10**9), CATALOG, use_gpu=False).state == "ok"
    assert doctor.memory(made(10**6), CATALOG, use_gpu=False).state == "fail"


def test_gpus_that_are_idle_are_told_with_what_to_do() -> None:
    works = card("A", 8, 8)
    bare = Device(name="B", reason="no driver has taken it; install it")
    display = Device(name="C", reason="a server's management display, not a GPU")
    checks = list(doctor.gpus(made(1, works, bare, display), use_gpu=None))
    assert [(check.state, check.advice) for check in checks] == [("ok", ""), ("warn", "install it"), ("ok", "")]
    (check,) = doctor.gpus(made(1, works), use_gpu=False)
    assert "gpu = false" in check.advice


def test_a_driver_that_did_not_answer_is_told() -> None:
    (check,) = doctor.gpus(replace(made(1), problems=("NVML: did not answer in time",)), use_gpu=None)
    assert (check.state, check.found) == ("warn", "NVML: did not answer in time")


def test_the_data_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert doctor.folder(tmp_path, 10**12).state == "ok"
    assert doctor.folder(tmp_path, None).state == "ok"
    assert doctor.folder(tmp_path / "later", None).state == "ok"
    assert doctor.folder(tmp_path, 10**6).state == "warn"
    tmp_path.chmod(0o777)
    assert doctor.folder(tmp_path, 10**12).state == "fail"
    file = tmp_path / "file"
    file.touch()
    assert doctor.folder(file, None).state == "fail"


def test_the_key(tmp_path: Path) -> None:
    path = tmp_path / "worker.key"
    assert doctor.key(path).state == "ok"
    path.touch(mode=0o600)
    assert doctor.key(path).state == "ok"
    path.chmod(0o644)
    assert doctor.key(path).advice == f"chmod 600 {path}"


@pytest.mark.parametrize(("theirs", "state"), [(None, "ok"), (1000.0, "ok"), (2000.0, "warn"), (0.0, "warn")])
def test_the_pool_and_its_clock(theirs: float | None, state: str) -> None:
    reached, clock = doctor.pool("http://p/v1", lambda: theirs, 1000.0)
    assert (reached.state, clock.state) == ("ok", state)


def test_a_pool_that_is_away_or_not_set() -> None:
    def away() -> float | None:
        raise IamineError("cannot reach", hint="start it")

    (check,) = doctor.pool("http://p/v1", away, 0.0)
    assert (check.state, check.found, check.advice) == ("fail", "cannot reach", "start it")
    (check,) = doctor.pool("", away, 0.0)
    assert check.state == "warn"


def test_the_verdict_is_the_worst() -> None:
    ok, warn, fail = (doctor.Check(name="n", state=state, found="") for state in ("ok", "warn", "fail"))  # type: ignore[arg-type]
    assert [doctor.worst(checks) for checks in ([ok], [ok, warn], [warn, fail, ok])] == ["ok", "warn", "fail"]
