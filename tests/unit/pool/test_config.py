"""The pool's configuration is strict, and says what is wrong."""

from pathlib import Path

import pytest

from iamine.manifest import TIERS
from pool.config import ConfigError, PoolConfig, convert, load, upstream_key
from pool.routing.tiers import NAMES

ENVIRON = {"HOME": "/h"}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pool.toml"
    path.write_text(text)
    return path


def test_without_a_file_everything_has_its_default() -> None:
    assert load(None, {}, ENVIRON) == PoolConfig(data_dir="/h/.local/share/iamine")


def test_the_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, 'port = 9000\nstream_deadline_s = 10\ncors_origins = ["http://a"]\ndata_dir = "/d"\n')
    config = load(path, {}, ENVIRON)
    assert (config.port, config.stream_deadline_s, config.cors_origins, config.data_path) == (
        9000,
        10.0,
        ("http://a",),
        Path("/d"),
    )


def test_an_option_wins_over_the_file_unless_it_was_not_given(tmp_path: Path) -> None:
    path = written(tmp_path, 'port = 9000\nhost = "::"\n')
    config = load(path, {"port": 1, "host": None}, ENVIRON)
    assert (config.port, config.host) == (1, "::")


def test_an_unknown_key_is_named_with_its_file_and_the_nearest_key(tmp_path: Path) -> None:
    path = written(tmp_path, "prot = 9000\n")
    with pytest.raises(ConfigError, match=f"{path}: unknown setting `prot`") as caught:
        load(path, {}, ENVIRON)
    assert caught.value.hint == "did you mean `port`?"
    assert caught.value.exit_code == 2


def test_an_unknown_key_like_no_other_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, "zzz = 1\n"), {}, ENVIRON)
    assert "stream_deadline_s" in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "port = 70000",
        "port = '1'",
        "plain_deadline_s = 0",
        "per_key_concurrency = 0",
        "name = ''",
        "quality_floor = 'huge'",
        "requests_per_minute = 0",
        "aliases = {a = ''}",
        "model_tiers = {mine = 'best'}",
    ],
)
def test_a_value_out_of_range_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=rf"pool.toml: .*\$\.{line.split()[0]}"):
        load(written(tmp_path, line), {}, ENVIRON)


def test_a_wrong_option_is_told_as_such() -> None:
    with pytest.raises(ConfigError, match="the command line"):
        load(None, {"port": -1}, ENVIRON)


def test_what_is_no_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pool\.toml"):
        load(written(tmp_path, "port: 1"), {}, ENVIRON)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file") as caught:
        load(tmp_path / "none.toml", {}, ENVIRON)
    assert "--config" in caught.value.hint


def test_a_file_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pool.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(path, {}, ENVIRON)


def test_a_table_of_aliases_replaces_the_default_one(tmp_path: Path) -> None:
    assert load(None, {}, ENVIRON).aliases["gpt-4o-mini"] == "iamine-small"
    assert load(written(tmp_path, "[aliases]\n"), {}, ENVIRON).aliases == {}
    config = load(written(tmp_path, 'quality_floor = "small"\n[aliases]\n"gpt-9" = "mote"\n'), {}, ENVIRON)
    assert (config.aliases, config.quality_floor) == ({"gpt-9": "mote"}, "small")


def test_every_default_alias_names_a_tier() -> None:
    assert set(load(None, {}, ENVIRON).aliases.values()) <= set(NAMES)


def test_an_upstream_provider_needs_an_address_a_model_and_a_key_that_can_be_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret\n")
    good = {"url": "https://provider.example/v1", "model": "m"}
    assert upstream_key(convert({"upstream": good | {"api_key_file": str(key)}}, "here").upstream) == "secret"
    assert upstream_key(convert({"upstream": good}, "here").upstream) == ""
    assert upstream_key(convert({"upstream": {"url": good["url"], "models": dict.fromkeys(TIERS, "m")}}, "here").upstream) == ""
    for bad in (
        {"url": "provider"},
        {"model": ""},
        {"model": "", "models": {"large": "m"}},
        {"api_key_file": str(tmp_path / "no")},
    ):
        with pytest.raises(ConfigError) as caught:
            upstream_key(convert({"upstream": good | bad}, "here").upstream)
        assert caught.value.hint
    with pytest.raises(ConfigError, match="upstream"):
        convert({"upstream": {"uri": "x"}}, "here")
    assert not convert({}, "here").upstream.url, "off by default"


def test_brackets_without_end_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "pool.toml"
    path.write_text("port = " + "[" * 5000)
    with pytest.raises(ConfigError):
        load(path, {}, {})
