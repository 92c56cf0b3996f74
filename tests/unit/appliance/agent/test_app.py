"""What the worker does before it serves."""

import io
from datetime import datetime, timezone
from pathlib import Path

import pytest
from fakes.machines import card, made

from appliance.agent.app import KEY_NAME, identity_of, renewed, sole_worker
from appliance.agent.config import Options, settings
from appliance.agent.errors import ConfigError
from appliance.agent.machine import Device
from appliance.agent.prepared import describe, prepare
from appliance.agent.screen import PlainScreen
from iamine.keyfile import load_or_create
from iamine.wire.messages import ManifestUpdate


def screen(out: io.StringIO) -> PlainScreen:
    return PlainScreen(out, lambda: datetime(2026, 11, 22, tzinfo=timezone.utc))


def test_what_was_found_and_chosen_is_told(tmp_path: Path) -> None:
    out = io.StringIO()
    prepared = prepare(settings(Options(pool="h:1"), {}, tmp_path), screen(out))
    assert prepared.home.base == "http://h:1/v1"
    assert [spec.model for spec in prepared.plan.specs] == ["mote"]
    assert "chosen mote" in out.getvalue()


def test_a_model_that_cannot_be_had_is_an_error_with_what_to_try(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "x.gguf").write_bytes(b"none")
    out = io.StringIO()
    with pytest.raises(ConfigError, match="not at hand") as caught:
        prepare(settings(Options(pool="h", model="x"), {}, tmp_path), screen(out))
    assert str(tmp_path / "models") in caught.value.hint
    assert "not a GGUF file" in out.getvalue()


def test_one_folder_has_one_worker(tmp_path: Path) -> None:
    with sole_worker(tmp_path), pytest.raises(ConfigError, match="another worker") as caught, sole_worker(tmp_path):
        pass
    assert "--data-dir" in caught.value.hint
    with sole_worker(tmp_path):
        pass


def test_the_machine_in_one_line() -> None:
    idle = Device(name="B", memory_bytes=2 * 10**9, reason="x")
    machine = made(10**10, card("A", 8 * 10**9, 1), idle, cores=1.5)
    assert describe(machine) == "C, 1.5 cores usable, 10.0 GB of 10.0 GB memory free; A, 8.0 GB; B (not used), 2.0 GB"
    assert describe(made(10**9)).endswith("no GPU")


def test_a_manifest_of_nobodys_is_not_taken(tmp_path: Path) -> None:
    assert "not taken" in renewed(ManifestUpdate(text="version = 1", signature=""), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_systemd_hands_over_comes_before_that_of_the_folder(tmp_path: Path) -> None:
    given = tmp_path / "credentials"
    given.mkdir()
    own = identity_of({"CREDENTIALS_DIRECTORY": str(given)}, tmp_path / "data")
    assert (
        own.public_key
        == identity_of({}, tmp_path / "data").public_key
        == load_or_create(tmp_path / "data" / KEY_NAME).public_key
    )
    (given / KEY_NAME).write_text("07" * 32)
    (given / KEY_NAME).chmod(0o440)  # as an ACL makes it look
    assert identity_of({"CREDENTIALS_DIRECTORY": str(given)}, tmp_path / "data").public_key != own.public_key
