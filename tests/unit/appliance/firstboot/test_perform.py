"""The performers, as far as they need no disk: each can be repeated, and nothing secret leaves the copy."""

import json
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.firstboot.__main__ import report
from appliance.firstboot.perform import Places, Start
from appliance.firstboot.settings import Settings
from appliance.firstboot.steps import Outcome, Step
from appliance.medium.stick import StickError


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "mounts").write_text("25 1 0:24 / /sys rw - sysfs sysfs rw\n")
    (tmp_path / "data").mkdir()
    return Places(
        baked=tmp_path / "baked.json",
        settings_mount=tmp_path / "mnt",
        data=tmp_path / "data",
        wifi=tmp_path / "iwd",
        timesync=tmp_path / "timesyncd.conf.d" / "iamine.conf",
        worker=tmp_path / "run" / "worker.toml",
        mounts=tmp_path / "mounts",
        cpuinfo=tmp_path / "cpuinfo",
        unfit=tmp_path / "run" / "unfit",
    )


def test_every_step_has_a_performer(places: Places) -> None:
    assert set(Start(places).performers()) == set(Step)


def test_without_a_stick_it_says_so(places: Places) -> None:
    with pytest.raises(StickError, match="not mounted"):
        Start(places).find_medium()


def test_the_copy_keeps_the_password_that_the_file_lost(places: Places) -> None:
    first = Start(places, settings=Settings(wifi_ssid="x", wifi_password="12345678"))
    first.remember()
    copy = places.data / "settings.json"
    assert copy.stat().st_mode & 0o777 == 0o600
    for _ in range(2):  # the next start, and the one after
        later = Start(places, settings=Settings(wifi_ssid="x", name="new"))
        later.remember()
        assert later.settings == Settings(wifi_ssid="x", wifi_password="12345678", name="new")


@pytest.mark.parametrize("damaged", [b"", b"{", b"[1]", b"\xff"])
def test_a_damaged_copy_is_written_anew(places: Places, damaged: bytes) -> None:
    (places.data / "settings.json").write_bytes(damaged)
    Start(places, settings=Settings(name="a")).remember()
    assert json.loads((places.data / "settings.json").read_bytes())["name"] == "a"


def test_wifi_and_time_servers_are_written_for_their_owners_only(places: Places) -> None:
    start = Start(places, settings=Settings(wifi_ssid="x", wifi_password="12345678", ntp=("t.example",)))
    for _ in range(2):
        start.join_wifi()
        start.set_clock()
    assert "Passphrase=12345678" in (places.wifi / "x.psk").read_text()
    assert (places.wifi / "x.psk").stat().st_mode & 0o777 == 0o600
    assert places.timesync.read_text() == "[Time]\nNTP=t.example\n"
    assert not (places.data / "clock").exists(), "memory only: there is nothing to come back to"


def test_the_time_is_marked_on_the_stick(places: Places) -> None:
    start = Start(places, kept=True)
    start.set_clock()
    assert (places.data / "clock").exists()


def test_the_worker_gets_the_images_pool_or_the_problem_is_told(places: Places) -> None:
    start = Start(places)
    start.configure_worker()
    assert [problem.code for problem in start.problems] == ["E-POOL"]
    places.baked.write_text('{"pool": "http://baked:8000", "pool_key": "ab"}')
    again = Start(places, settings=Settings(name="attic"))
    again.configure_worker()
    assert again.problems == []
    text = places.worker.read_text()
    assert 'pool = "http://baked:8000"' in text and 'pool_key = "ab"' in text and 'name = "attic"' in text


def test_the_report_has_no_secret(places: Places, tmp_path: Path) -> None:
    start = Start(places, settings=replace(Settings(pool="http://p"), wifi_ssid="x", wifi_password="hush hush"))
    report(start, {Step.DATA: Outcome.FAILED}, tmp_path / "start.json")
    text = (tmp_path / "start.json").read_text()
    assert "hush" not in text
    told = json.loads(text)
    assert told["steps"] == {"data": "failed"} and told["problems"] == [] and told["pool"] == "http://p"
    assert (told["kept"], told["recovery"], told["in_memory"], told["disk"]) == (False, False, False, "")


def test_a_password_is_left_alone_when_there_is_none_or_it_is_to_stay(places: Places) -> None:
    for settings in (Settings(), Settings(wifi_password="12345678", keep_secrets=True)):
        Start(places, settings=settings).blank()  # would need the stick, which is not there


def test_an_old_processor_is_told_with_what_it_lacks_and_the_worker_is_not_started(places: Places) -> None:
    places.cpuinfo.write_text("flags\t: fpu cx16 lahf_lm pni sse4_1 ssse3\n")
    if platform.machine() != "x86_64":
        pytest.skip("another kind of processor")
    with pytest.raises(StickError, match="popcnt, sse4_2"):
        Start(places).check_processor()
    assert places.unfit.exists()


def test_a_good_processor_is_passed_over(places: Places) -> None:
    places.cpuinfo.write_text("flags\t: cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3\n")
    Start(places).check_processor()
    assert not places.unfit.exists()


def test_no_shell_is_opened_unless_the_settings_say_so(places: Places) -> None:
    start = Start(places)
    start.open_recovery()
    assert not start.recovery


def test_a_worker_with_an_address_may_not_hear_mdns(places: Places) -> None:
    Start(replace(places, mdns=places.data / "mdns.conf"), settings=Settings(pool="http://p")).allow_discovery()
    assert not (places.data / "mdns.conf").exists()
