"""Only a manifest that a release key signed is taken, and only a newer one that has not expired."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from iamine import release
from iamine.keyfile import load_or_create
from iamine.manifest import ManifestError, bundled_text, load
from iamine.wire.messages import ManifestUpdate

TODAY = date(2026, 11, 22)
NEWER = bundled_text().replace(f"\nserial = {load().serial}\n", "\nserial = 999\n")


def made(folder: Path, text: str = NEWER, *, key: str = "throw-away.key") -> tuple[ManifestUpdate, list[str]]:
    """A manifest signed with a key of its own, and the public keys that count."""
    path = folder / key
    return ManifestUpdate(text=text, signature=release.signed(text, path)), [load_or_create(path).public_key.hex()]


def test_the_signature_that_ships_holds_for_the_manifest_that_ships() -> None:
    news = release.bundled_news()
    assert release.holds(news.text, news.signature), "after an edit: python -m iamine.release sign KEY (ADR 0021)"
    assert (load().expires or TODAY) > TODAY


def test_two_keys_ship() -> None:
    assert len(set(release.RELEASE_KEYS)) == 2
    assert all(len(bytes.fromhex(key)) == 32 for key in release.RELEASE_KEYS)


def test_a_newer_manifest_is_kept_and_counts_from_then_on(tmp_path: Path) -> None:
    news, keys = made(tmp_path)
    assert release.current(tmp_path, TODAY, keys=keys).serial == load().serial
    assert release.keep(news, tmp_path, TODAY, keys=keys).serial == 999
    assert release.current(tmp_path, TODAY, keys=keys).serial == 999
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with pytest.raises(ManifestError, match="not newer"):
        release.keep(news, tmp_path, TODAY, keys=keys)


def test_an_older_one_does_not_come_back(tmp_path: Path) -> None:
    news, keys = made(tmp_path, bundled_text())
    with pytest.raises(ManifestError, match="not newer"):
        release.keep(news, tmp_path, TODAY, keys=keys)


def test_what_nobody_signed_is_refused(tmp_path: Path) -> None:
    news, keys = made(tmp_path)
    line = news.signature.strip()
    wrong = ["", "x", line[:-2], line[:64] + " zz", line[:64] + " " + "00" * 64, "00" * 32 + line[64:]]
    altered = [msgspec.structs.replace(news, signature=each) for each in wrong] + [
        msgspec.structs.replace(news, text=news.text + "#"),
    ]
    for each in altered:
        with pytest.raises(ManifestError, match="none of the release keys"):
            release.keep(each, tmp_path, TODAY, keys=keys)
    with pytest.raises(ManifestError, match="none of the release keys"):
        release.keep(news, tmp_path, TODAY)
    assert not (tmp_path / release.FILE_NAME).exists()


def test_either_key_is_enough_and_other_lines_do_no_harm(tmp_path: Path) -> None:
    news, keys = made(tmp_path)
    other, more = made(tmp_path, key="other.key")
    both = msgspec.structs.replace(news, signature="nonsense\n" + other.signature + news.signature)
    assert release.opened(both, TODAY, keys=keys).serial == 999
    assert release.opened(both, TODAY, keys=more).serial == 999


def test_an_expired_manifest_is_refused_and_one_kept_stops_counting(tmp_path: Path) -> None:
    news, keys = made(tmp_path)
    release.keep(news, tmp_path, TODAY, keys=keys)
    late = date(2030, 1, 1)
    assert release.current(tmp_path, late, keys=keys).serial == load().serial
    with pytest.raises(ManifestError, match="expired"):
        release.opened(news, late, keys=keys)
    undated, keys = made(tmp_path, NEWER.replace("expires", "# expires"))
    with pytest.raises(ManifestError, match="no date"):
        release.opened(undated, TODAY, keys=keys)


def test_a_signed_manifest_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    news, keys = made(tmp_path, "version = 2")
    with pytest.raises(ManifestError, match="version 2"):
        release.keep(news, tmp_path, TODAY, keys=keys)


def test_a_damaged_file_and_a_folder_that_takes_nothing(tmp_path: Path) -> None:
    news, keys = made(tmp_path)
    (tmp_path / release.FILE_NAME).write_text("{")
    assert release.current(tmp_path, TODAY, keys=keys).serial == load().serial
    with pytest.raises(ManifestError, match="cannot be kept"):
        release.keep(news, tmp_path / "nowhere", TODAY, keys=keys)


def test_the_commands_sign_and_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["verify"]) == 0
    assert release.main(["key", str(tmp_path / "k")]) == 0
    key = capsys.readouterr().out.split()[-1]
    assert release.main(["sign", str(tmp_path / "k"), "--out", str(tmp_path / "sig")]) == 0
    assert release.holds(bundled_text(), (tmp_path / "sig").read_text(), [key])
