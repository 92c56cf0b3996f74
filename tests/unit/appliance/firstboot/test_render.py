"""The files for other programs."""

import sys
from pathlib import Path

import pytest

from appliance.agent.config import Options
from appliance.agent.config import settings as agent_settings
from appliance.firstboot.render import blanked, iwd_network, timesyncd_conf, without_recovery, worker_toml
from appliance.firstboot.settings import Settings, read

FILE = """\
# my stick
[pool]
password = "not this one"
[wifi]  # at home
ssid = "Home"
password = "se\\"cret 1"   # of the router
[machine]
hostname = "x"
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib")
def test_the_agent_reads_its_config_as_it_was_meant(tmp_path: Path) -> None:
    said = Settings(pool="http://10.0.2.2:8000", pool_key="AB", name='Kü"che\\', max_tps=12.5, slots=3, model="mote")
    (tmp_path / "worker.toml").write_text(worker_toml(said, "/var/lib/iamine/models"))
    read_back = agent_settings(Options(config=tmp_path / "worker.toml"), {}, tmp_path)
    assert (read_back.pool, read_back.pool_key, read_back.name) == ("http://10.0.2.2:8000/v1", "ab", said.name)
    assert (read_back.max_tps, read_back.slots, read_back.model) == (12.5, 3, "mote")
    assert read_back.models_dir == Path("/var/lib/iamine/models")


def test_without_settings_the_config_names_the_models_only() -> None:
    assert worker_toml(Settings(), "/m") == 'models_dir = "/m"\n'


@pytest.mark.parametrize(
    ("settings", "name", "content"),
    [
        (Settings(wifi_ssid="Home net", wifi_password="secret 12"), "Home net.psk", "Passphrase=secret 12\n"),
        (Settings(wifi_ssid="Café", wifi_password=" a\\bcdefg"), "=436166c3a9.psk", "Passphrase=\\sa\\\\bcdefg\n"),
        (Settings(wifi_ssid="open", wifi_hidden=True), "open.open", "Hidden=true\n"),
    ],
)
def test_iwd_gets_its_file(settings: Settings, name: str, content: str) -> None:
    found = iwd_network(settings)
    assert found is not None and found[0] == name and content in found[1]


def test_no_network_no_file() -> None:
    assert iwd_network(Settings()) is None


def test_time_servers() -> None:
    assert timesyncd_conf(Settings(ntp=("a.example", "b.example"))) == "[Time]\nNTP=a.example b.example\n"
    assert timesyncd_conf(Settings()) == ""


def test_only_the_wifi_password_is_blanked_and_comments_stay() -> None:
    assert blanked(FILE) == FILE.replace('"se\\"cret 1"', '""')
    assert read(blanked(FILE).encode()).settings.wifi_password == ""
    assert blanked(FILE.replace("[wifi]", "[wlan]")) == FILE.replace("[wifi]", "[wlan]")


def test_a_password_in_the_last_table_and_in_single_quotes() -> None:
    text = "[wifi]\nssid = 'a'\n  password='12345678'\n# password = 'kept'"
    assert blanked(text) == "[wifi]\nssid = 'a'\n  password=\"\"\n# password = 'kept'"


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("[machine]\r\nrecovery = true # once\r\n", "[machine]\r\nrecovery = false # once\r\n"),
        ("[machine]\nhostname='x'\n  recovery=true\n[wifi]\n", "[machine]\nhostname='x'\n  recovery=false\n[wifi]\n"),
        ("[worker]\nrecovery = true\n", "[worker]\nrecovery = true\n"),
        ("# [machine]\n# recovery = true\n", "# [machine]\n# recovery = true\n"),
    ],
)
def test_a_recovery_shell_is_for_one_start(text: str, new: str) -> None:
    assert without_recovery(text) == new
