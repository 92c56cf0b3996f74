"""iamine.toml as people and their editors write it."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.firstboot.settings import (
    MAX_BYTES,
    MAX_WRONG_LINES,
    Read,
    Settings,
    file_named,
    read,
    with_baked,
    with_remembered,
)

GOOD = """\
[pool]
url = "http://10.0.2.2:8000"
key = "abc"
[worker]
name = "Küche"
max_tps = 20
slots = 2
[wifi]
ssid = "Home net"
password = "long enough"
hidden = true
[machine]
hostname = "iamine-1"
ntp = ["one.example", "two.example"]
keep_secrets = true
"""
MEANT = Settings(
    pool="http://10.0.2.2:8000", pool_key="abc", name="Küche", max_tps=20.0, slots=2, wifi_ssid="Home net",
    wifi_password="long enough", wifi_hidden=True, hostname="iamine-1", ntp=("one.example", "two.example"), keep_secrets=True,
)  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD.encode(), id="plain"),
        pytest.param(codecs.BOM_UTF8 + GOOD.replace("\n", "\r\n").encode(), id="Windows Notepad"),
        pytest.param(GOOD.encode("utf-16"), id="Notepad's Unicode"),
        pytest.param(GOOD.replace("\n", "\r").encode(), id="old Macintosh"),
        pytest.param(GOOD.encode("cp1252"), id="an old editor"),
    ],
)
def test_every_editor_gives_the_same_settings(data: bytes) -> None:
    assert read(data) == Read(MEANT)


def test_the_file_on_a_new_stick_says_nothing_and_is_right() -> None:
    from pathlib import Path

    shipped = Path(__file__).parents[4] / "image-build" / "boot" / "iamine.toml"
    assert read(shipped.read_bytes()) == Read(Settings())
    uncommented = shipped.read_text().replace("# url", "url").replace("# max_tps", "max_tps").replace("# ntp", "ntp")
    assert read(uncommented.encode()).problems == ()


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["iamine.toml"], "iamine.toml"),
        (["IAMINE.TOML", "System Volume Information"], "IAMINE.TOML"),
        (["iamine.toml.txt"], "iamine.toml.txt"),
        (["iamine.toml.txt", "iamine.toml"], "iamine.toml"),
        (["Iamine.txt"], "Iamine.txt"),
        (["readme.txt"], None),
        ([], None),
    ],
)
def test_hidden_endings_are_forgiven(names: list[str], meant: str | None) -> None:
    assert file_named(iter(names)) == meant


def test_a_line_that_is_no_toml_is_named_and_the_rest_holds() -> None:
    found = read(GOOD.replace('ssid = "Home net"', "ssid = Home net").encode())
    assert found.settings.pool == MEANT.pool and found.settings.wifi_password == MEANT.wifi_password
    assert found.settings.wifi_ssid == ""
    assert [problem.message for problem in found.problems] == ["iamine.toml line 9 is not understood"]
    assert "double quotes" in found.problems[0].advice


def test_an_open_end_is_the_last_line_that_has_something() -> None:
    found = read(b'[pool]\nurl = "http://a"\nkey = """open\n\n\n')
    assert found.settings == Settings(pool="http://a")
    assert found.problems[0].message == "iamine.toml line 3 is not understood"


def test_a_backslash_at_the_end_is_told_of_its_own_line_not_of_the_empty_one_below() -> None:
    found = read(b'[pool]\nurl = "http://a\\\n\nkey = "b"\n')
    assert found.settings == Settings(pool_key="b")
    assert [problem.message for problem in found.problems] == ["iamine.toml line 2 is not understood"]


def test_nothing_but_wrong_lines_is_given_up() -> None:
    found = read(b"wrong line\n" * (MAX_WRONG_LINES + 5))
    assert found.settings == Settings()
    assert len(found.problems) == MAX_WRONG_LINES + 1 and "too many" in found.problems[-1].message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[pool]\nurll = 'x'", "[pool] urll is unknown"),
        ("[color]\nred = 1", "[color] red is unknown"),
        ("pool = 'http://x'", "pool is unknown"),
        ("[pool]\nurl = 7", "a text in quotes"),
        ("[worker]\nmax_tps = 0", "a number above 0"),
        ("[worker]\nmax_tps = true", "a number above 0"),
        ("[worker]\nslots = 1.5", "a whole number"),
        ("[worker]\nslots = 65", "a whole number"),
        ("[wifi]\nhidden = 'yes'", "true or false"),
        ("[wifi]\nssid = 'é0123456789012345678901234567890123'", "32 bytes"),
        ("[wifi]\npassword = 'short'", "8 to 63"),
        ("[machine]\nhostname = 'not a name'", "letters, digits and -"),
        ("[machine]\nntp = 'one.example'", "a list of names"),
        ("[machine]\nntp = ['a b']", "a list of names"),
        ("[worker]\nname = 'a\\tb\u0007'", "is not understood"),
        ('[worker]\nname = "a\\nb"', "in one line"),
    ],
)
def test_a_wrong_key_or_value_is_named_and_left_out(line: str, said: str) -> None:
    found = read(line.encode())
    assert found.settings == Settings()
    assert len(found.problems) == 1 and said in found.problems[0].message


def test_empty_texts_are_not_said() -> None:
    assert read(b"[wifi]\nssid = ''\npassword = ''\n[machine]\nhostname = ''\n") == Read(Settings())


def test_a_huge_file_is_not_read() -> None:
    found = read(b"#" * (MAX_BYTES + 1))
    assert found.settings == Settings() and "larger" in found.problems[0].message


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    assert isinstance(read(data), Read)


@given(st.text(alphabet="[]pol=\"\n #abc123\\'{},.", max_size=120))
def test_no_near_toml_breaks_it(text: str) -> None:
    assert isinstance(read(text.encode()), Read)


def test_the_blanked_password_comes_back_for_its_own_network_only() -> None:
    remembered = {"wifi_ssid": "Home net", "wifi_password": "long enough"}
    assert with_remembered(Settings(wifi_ssid="Home net"), remembered).wifi_password == "long enough"
    assert with_remembered(Settings(wifi_ssid="Other"), remembered).wifi_password == ""
    assert with_remembered(Settings(), {"wifi_ssid": "", "wifi_password": "x"}).wifi_password == ""
    assert with_remembered(Settings(wifi_ssid="Home net", wifi_password="new one!"), remembered).wifi_password == "new one!"
    assert with_remembered(Settings(wifi_ssid="Home net"), {"wifi_ssid": "Home net"}).wifi_password == ""


def test_the_images_own_pool_and_key_go_together() -> None:
    baked = {"pool": "https://baked.example", "pool_key": "fp"}
    assert with_baked(Settings(), baked) == Settings(pool="https://baked.example", pool_key="fp")
    assert with_baked(Settings(pool="http://own"), baked) == Settings(pool="http://own")
    assert with_baked(Settings(pool_key="mine"), baked) == Settings(pool="https://baked.example", pool_key="mine")
    assert with_baked(Settings(), {"pool": "https://x.example"}) == Settings(pool="https://x.example")
    assert with_baked(Settings(), {}) == Settings()


def test_switches_are_true_or_false_and_an_unsaid_one_is_neither() -> None:
    assert read(b"").settings.to_memory is None
    found = read(b"[machine]\nto_memory = false\nrecovery = true\n")
    assert found.settings == Settings(to_memory=False, recovery=True) and not found.problems
    (problem,) = read(b'[machine]\nto_memory = "yes"\n').problems
    assert "true or false" in problem.message + problem.advice


def test_brackets_without_end_are_told_and_nothing_is_used() -> None:
    found = read(b"pool = " + b"[" * 5000)
    assert any("brackets" in problem.message for problem in found.problems)
