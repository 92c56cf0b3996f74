"""The manifest's signature: whose word counts, whether it holds, and a newer manifest than the one that ships.

    python -m iamine.release sign KEYFILE [--out FILE]   sign iamine/models.toml; KEYFILE is made when it is not there
    python -m iamine.release verify                      whether the signature that ships holds
    python -m iamine.release key KEYFILE                 the public key, to be listed below

The private keys never lie in the repository (docs/adr/0021).
"""

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from datetime import date, datetime, timezone
from importlib import resources
from pathlib import Path

import msgspec

from iamine.identity import verify
from iamine.keyfile import load_or_create
from iamine.manifest import Manifest, ManifestError, bundled_text, load, parse
from iamine.wire.messages import SIGNATURE_BYTES, ManifestUpdate

FILE_NAME = "manifest.json"  # in the data folder: a newer manifest that a pool sent
SIGNATURE_NAME = "models.toml.sig"
_WHAT = b"iamine manifest v1\0"  # a signature for this purpose only
RELEASE_KEYS: tuple[str, ...] = (
    "03569749fbcc0ef09a84fb44ed59edea87478cdb016f3d62776f427070cb6c13",
    "f85998103231c31bd940aaa9248e609f63308207350bbcdc390bc1cdb3747458",
)


def signed(text: str, key_path: Path) -> str:
    """A signature line: public key and signature in hexadecimal. Raises KeyFileError."""
    identity = load_or_create(key_path)
    return f"{identity.public_key.hex()} {identity.sign(_WHAT + text.encode()).hex()}\n"


def holds(text: str, signature: str, keys: Sequence[str] = RELEASE_KEYS) -> bool:
    """Whether one of the lines is by one of the keys and over this very text."""
    return any(_line_holds(text, line, keys) for line in signature.splitlines())


def opened(news: ManifestUpdate, today: date, *, keys: Sequence[str] = RELEASE_KEYS) -> Manifest:
    """The manifest in a pool's message. Raises ManifestError for one that is not signed, not readable or expired."""
    if not holds(news.text, news.signature, keys):
        raise ManifestError("the manifest is signed by none of the release keys", hint="tell the pool's operator")
    manifest = parse(news.text)
    if manifest.expires is None or manifest.expires < today:
        raise ManifestError(f"the manifest expired ({manifest.expires or 'no date'})", hint="tell the pool's operator")
    return manifest


def current(data_dir: Path, today: date, *, keys: Sequence[str] = RELEASE_KEYS) -> Manifest:
    """The manifest to go by: the newer of the one that ships and the one kept, if that still holds."""
    bundled = load()
    try:
        kept = opened(msgspec.json.decode((data_dir / FILE_NAME).read_bytes(), type=ManifestUpdate), today, keys=keys)
    except (OSError, msgspec.DecodeError, ManifestError):
        return bundled
    return kept if kept.serial > bundled.serial else bundled


def keep(news: ManifestUpdate, data_dir: Path, today: date, *, keys: Sequence[str] = RELEASE_KEYS) -> Manifest:
    """Take a newer manifest and keep it, whole or not at all. Raises ManifestError: the one before stays."""
    manifest = opened(news, today, keys=keys)
    held = current(data_dir, today, keys=keys).serial
    if manifest.serial <= held:
        raise ManifestError(f"the manifest {manifest.serial} is not newer than {held}", hint="nothing is to be done")
    draft = data_dir / f".{FILE_NAME}.{secrets.token_hex(4)}"
    try:
        draft.write_bytes(msgspec.json.encode(news))
        draft.replace(data_dir / FILE_NAME)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ManifestError(f"the manifest cannot be kept: {error}", hint=f"make room in {data_dir}") from error
    return manifest


def bundled_news() -> ManifestUpdate:
    """The manifest that ships, as a pool sends it to workers that have an older one."""
    signature = resources.files("iamine").joinpath(SIGNATURE_NAME).read_text(encoding="ascii")
    return ManifestUpdate(text=bundled_text(), signature=signature)


def today() -> date:
    """The day in UTC."""
    return datetime.now(timezone.utc).date()


def main(arguments: Sequence[str] | None = None) -> int:
    """Sign or verify the manifest of this very package."""
    parser = argparse.ArgumentParser(prog="python -m iamine.release", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    signing = commands.add_parser("sign")
    signing.add_argument("key", type=Path)
    signing.add_argument("--out", type=Path, default=Path(__file__).with_name(SIGNATURE_NAME))
    commands.add_parser("verify")
    commands.add_parser("key").add_argument("key", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "sign":
        parse(bundled_text())
        chosen.out.write_text(signed(bundled_text(), chosen.key), encoding="ascii")
    if chosen.command == "key":
        sys.stdout.write(load_or_create(chosen.key).public_key.hex() + os.linesep)
        return 0
    news = bundled_news()
    fine = holds(news.text, news.signature)
    sys.stdout.write("the signature holds\n" if fine else "the signature does NOT hold: sign again with a release key\n")
    return 0 if fine else 1


def _line_holds(text: str, line: str, keys: Sequence[str]) -> bool:
    key, _, signature = line.strip().partition(" ")
    if key not in keys:
        return False
    try:
        raw = bytes.fromhex(signature)
    except ValueError:
        return False
    return len(raw) == SIGNATURE_BYTES and verify(bytes.fromhex(key), raw, _WHAT + text.encode())


if __name__ == "__main__":
    sys.exit(main())
