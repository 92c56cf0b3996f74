"""The agent's commands as they are typed."""

import json
from pathlib import Path

import pytest

from appliance.agent.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_models_as_json_tell_what_is_at_hand_and_what_fits(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "models", "--json", "--data-dir", str(tmp_path))
    models = {model["model"]: model for model in json.loads(out)["models"]}
    assert code == 0
    assert models["mote"]["path"].endswith("mote-Q8_0.gguf")
    assert models["gpt-oss-120b"]["path"] is None
    assert models["mote"]["fits"]


def test_probe_as_json_tells_machine_fits_and_choice(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "probe", "--json", "--data-dir", str(tmp_path))
    found = json.loads(out)
    assert code == 0
    assert found["hardware"]["cpu"]["cores_physical"] >= 1
    assert found["hardware"]["took_s"] > 0
    assert found["best_known"]["reason"]
    assert found["choice"]["model"] == "mote"
    assert all(each["reason"] for each in found["fits"])


def test_probe_and_models_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "bad.gguf").write_bytes(b"nothing")
    code, out, _ = run(capsys, "models", "--data-dir", str(tmp_path))
    assert code == 0
    assert "not a GGUF file" in out
    assert str(tmp_path / "models") in out
    code, out, _ = run(capsys, "probe", "--data-dir", str(tmp_path))
    assert code == 0
    assert "best at hand: mote" in out


def test_a_worker_without_a_pool_says_how_to_set_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IAMINE_POOL", raising=False)
    (tmp_path / "worker.toml").write_text("discover = false")
    code, _, err = run(capsys, "worker", "--auto", "--data-dir", str(tmp_path))
    assert code == 1
    assert "--pool" in err
    assert "IAMINE_POOL" in err


def test_a_wrong_key_in_the_config_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "worker.toml").write_text("poool = 1")
    code, _, err = run(capsys, "probe", "--data-dir", str(tmp_path))
    assert code == 1
    assert "poool" in err


def test_doctor_fails_when_the_pool_is_away(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "doctor", "--json", "--pool", "http://127.0.0.1:9", "--data-dir", str(tmp_path))
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert code == 1
    assert checks["port"]["state"] == "fail"
    assert checks["port"]["advice"]
    code, out, _ = run(capsys, "doctor", "--pool", "http://127.0.0.1:9", "--data-dir", str(tmp_path))
    assert "nothing listens" in out
    assert "cannot run here" in out


def test_bench_measures_what_is_at_hand(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "bench", "--json", "--data-dir", str(tmp_path))
    (mote,) = json.loads(out)["measured"]
    assert (code, mote["model"]) == (0, "mote")
    assert min(mote["decode_tps"], mote["prefill_tps"], mote["expected_tps"], mote["load_s"]) > 0
    assert not mote["remembered"]
    code, out, _ = run(capsys, "bench", "--json", "--data-dir", str(tmp_path))
    (again,) = json.loads(out)["measured"]
    assert (again["remembered"], again["decode_tps"], again["at"]) == (True, mote["decode_tps"], mote["at"])
    code, out, _ = run(capsys, "bench", "nothing", "--data-dir", str(tmp_path))
    assert code == 1


def test_fetch_without_a_source_says_what_to_set(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "worker.toml").write_text("[fetch]\nlan = false")
    code, _, err = run(capsys, "fetch", "qwen3.5-0.8b", "--data-dir", str(tmp_path))
    assert code == 1
    assert "IAMINE_HUB" in err


def test_chat_comes_along(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    code, _, err = run(capsys, "chat", "hello", "--data-dir", str(tmp_path))
    assert code == 1
    assert "iamine up" in err


def test_the_status_file_tells_why_a_worker_does_not_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IAMINE_POOL", raising=False)
    (tmp_path / "worker.toml").write_text("discover = false")
    status = tmp_path / "status.json"
    assert main(["worker", "--data-dir", str(tmp_path), "--plain", "--status", str(status)]) == 1
    found = json.loads(status.read_text())
    assert found["linked"] is False and "no pool is set" in found["lines"][-1]
