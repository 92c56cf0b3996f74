"""Settings: which word counts, and what is said about a wrong one."""

from pathlib import Path

import pytest

from appliance.agent.config import Options, Settings, api_base, need_pool, read_file, settings, worker_endpoint
from appliance.agent.errors import ConfigError
from appliance.agent.schedule import read_hours


def made(tmp_path: Path, text: str = "", options: Options | None = None, **environ: str) -> Settings:
    if text:
        (tmp_path / "worker.toml").write_text(text)
    return settings(options or Options(), environ, tmp_path)


def test_option_comes_before_environment_before_file(tmp_path: Path) -> None:
    file = 'pool = "http://file:1"\nmodel = "f"\nslots = 2\nmax_tps = 3'
    assert made(tmp_path, file).pool == "http://file:1/v1"
    assert made(tmp_path, file, IAMINE_POOL="http://env:2/v1").pool == "http://env:2/v1"
    said = Options(pool="said:3", model="s", slots=4, max_tps=5.0, name="n")
    found = made(tmp_path, file, said, IAMINE_POOL="http://env:2")
    assert (found.pool, found.model, found.slots, found.max_tps, found.name) == ("http://said:3/v1", "s", 4, 5.0, "n")


def test_auto_passes_over_the_files_model_but_not_over_the_option(tmp_path: Path) -> None:
    assert made(tmp_path, 'model = "f"', Options(auto=True)).model == ""
    assert made(tmp_path, 'model = "f"', Options(auto=True, model="s")).model == "s"


def test_without_a_file_everything_is_chosen_and_no_pool_is_set(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert (found.slots, found.max_tps, found.models, found.models_dir) == (0, None, (), tmp_path / "models")
    with pytest.raises(ConfigError, match="no pool is set") as caught:
        need_pool(found)
    assert "IAMINE_POOL" in caught.value.hint
    assert str(tmp_path / "worker.toml") in caught.value.hint


def test_a_set_pool_is_given(tmp_path: Path) -> None:
    assert need_pool(made(tmp_path, 'pool = "h"')) == "http://h/v1"


def test_engines_are_children_unless_a_host_is_named(tmp_path: Path) -> None:
    assert made(tmp_path).engine_socket is None
    assert made(tmp_path, 'engine_socket = "e.sock"').engine_socket == tmp_path / "e.sock"
    assert made(tmp_path, 'engine_socket = "e.sock"', IAMINE_ENGINE_SOCKET="/run/x").engine_socket == Path("/run/x")


@pytest.mark.parametrize("text", ["pol = 1", '[[models]]\npath = "a"\nkid = "b"'])
def test_an_unknown_key_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"pol|kid") as caught:
        made(tmp_path, text)
    assert "models" in caught.value.hint


@pytest.mark.parametrize("text", ["slots = -1", "max_tps = 0", "threads = -1", 'slots = "two"', "slots ="])
def test_wrong_values_are_refused_with_a_hint(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, text)
    assert caught.value.hint


@pytest.mark.parametrize("options", [Options(slots=-1), Options(max_tps=-1.0), Options(max_tps=float("nan"))])
def test_wrong_options_are_refused_too(tmp_path: Path, options: Options) -> None:
    with pytest.raises(ConfigError):
        made(tmp_path, "", options)


def test_a_file_that_was_named_must_exist_and_be_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no config file"):
        made(tmp_path, "", Options(config=tmp_path / "none.toml"))
    (tmp_path / "worker.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_file(tmp_path / "worker.toml", must_exist=False)


def test_a_windows_editor_may_have_written_it(tmp_path: Path) -> None:
    (tmp_path / "worker.toml").write_bytes(b'\xef\xbb\xbfpool = "h"\r\nname = "n"\r\n')
    assert settings(Options(), {}, tmp_path).name == "n"


def test_hours_are_read_and_what_is_none_names_the_file(tmp_path: Path) -> None:
    found = made(tmp_path, '[schedule]\nhours = ["22:00-07:00", "sat 00:00-24:00"]')
    assert found.schedule == read_hours(["22:00-07:00", "sat 00:00-24:00"])
    with pytest.raises(ConfigError, match=r"worker\.toml: \[schedule\] hours: 'at night'"):
        made(tmp_path, '[schedule]\nhours = ["at night"]')


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    found = made(tmp_path, 'models_dir = "m"\n[[models]]\npath = "e.gguf"\nkind = "embedding"')
    assert found.models_dir == tmp_path / "m"
    assert found.models[0].path == str(tmp_path / "e.gguf")
    assert made(tmp_path, "", Options(models_dir=Path("/x"))).models_dir == Path("/x")


@pytest.mark.parametrize(
    ("said", "base", "endpoint"),
    [
        ("http://h:1", "http://h:1/v1", "ws://h:1/v1/workers/connect"),
        ("http://h:1/v1/", "http://h:1/v1", "ws://h:1/v1/workers/connect"),
        ("https://h", "https://h/v1", "wss://h/v1/workers/connect"),
        ("wss://h/v1/workers/connect", "https://h/v1", "wss://h/v1/workers/connect"),
        ("h:80", "http://h:80/v1", "ws://h:80/v1/workers/connect"),
        ("https://h/pool/v1", "https://h/pool/v1", "wss://h/pool/v1/workers/connect"),
        (" http://[::1]:9 ", "http://[::1]:9/v1", "ws://[::1]:9/v1/workers/connect"),
    ],
)
def test_an_address_is_taken_with_or_without_its_version(said: str, base: str, endpoint: str) -> None:
    assert api_base(said) == base
    assert worker_endpoint(api_base(said)) == endpoint


@pytest.mark.parametrize("said", ["ftp://h", "http://", "http://h:99999", "http://h:x"])
def test_what_is_no_address_is_refused(said: str) -> None:
    with pytest.raises(ConfigError, match="no pool address"):
        api_base(said)


def test_where_models_are_fetched_from(tmp_path: Path) -> None:
    (tmp_path / "worker.toml").write_text(
        '[fetch]\nfolders = ["stick", "/disk"]\nmirrors = ["http://peer:8000"]\nhub = "https://a.example"\nauto = true\n'
    )
    found = settings(Options(), {}, tmp_path).fetch
    assert found.folders == (str(tmp_path / "stick"), "/disk")
    assert (found.mirrors, found.hub, found.auto) == (("http://peer:8000",), "https://a.example", True)
    assert settings(Options(), {"IAMINE_HUB": "https://b.example"}, tmp_path).fetch.hub == "https://b.example"
    with pytest.raises(ConfigError, match="no address"):
        settings(Options(), {"IAMINE_HUB": "b.example"}, tmp_path)


@pytest.mark.parametrize("text", ["slots = " + "[" * 5000, 'pool = "http://["', '[fetch]\nhub = "http://["'])
def test_what_no_parser_can_follow_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, text)
    assert caught.value.hint
