"""A worker's units for an installation of one's own."""

import sys
from pathlib import Path

import pytest

from appliance.agent.cli import main
from appliance.agent.errors import ConfigError
from appliance.agent.units import IMAGE_PYTHON, files, install, rendered, unseen


def test_each_unit_starts_this_installations_python() -> None:
    made = files("/opt/iamine/bin/python")
    worker = made["/etc/systemd/system/iamine-worker.service"]
    assert "ExecStart=/opt/iamine/bin/python -I" in worker
    assert not [path for path, text in made.items() if IMAGE_PYTHON in text]
    assert "u iamine" in made["/etc/sysusers.d/iamine.conf"]
    assert "/var/lib/iamine/models" in made["/etc/tmpfiles.d/iamine.conf"]


def test_a_path_is_written_as_systemd_reads_it() -> None:
    assert rendered(f"ExecStart={IMAGE_PYTHON} -I", "/opt/a b%/python") == "ExecStart=/opt/a\\x20b%%/python -I"


@pytest.mark.parametrize("python", ["/home/ada/v/bin/python", "/root/v/bin/python", "/tmp/v/bin/python"])
def test_an_installation_that_units_do_not_see_is_refused(python: str) -> None:
    assert "hidden" in unseen(Path(python))


def test_an_installation_that_others_cannot_reach_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    problem = unseen(folder / "bin" / "python")
    assert "hidden" in problem or "closed to others" in problem
    assert unseen(Path("/usr/bin/python3")) == ""


def test_they_are_written_below_a_folder(tmp_path: Path) -> None:
    install(files("/opt/iamine/bin/python"), tmp_path)
    assert (tmp_path / "etc/systemd/system/iamine-worker.service").is_file()
    with pytest.raises(ConfigError) as caught:
        install({"/file/below": ""}, tmp_path / "etc/systemd/system/iamine-worker.service")
    assert "root" in caught.value.hint


def test_without_install_they_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["units"]) == 0
    shown = capsys.readouterr().out
    assert "# /etc/systemd/system/iamine-worker.service" in shown
    assert f"ExecStart={sys.executable} -I" in shown
