"""An Ed25519 seed on disk: made once, readable by its owner only, never half written."""

import os
import secrets
import stat
from pathlib import Path

from iamine.errors import IamineError
from iamine.identity import SEED_BYTES, Identity


class KeyFileError(IamineError):
    """The key file cannot be used."""


def load_or_create(path: Path) -> Identity:
    """The identity in the file; a new one is made (0600, atomically, synced) when there is none."""
    try:
        return _load(path)
    except FileNotFoundError:
        _create(path, secrets.token_bytes(SEED_BYTES).hex().encode() + b"\n")
        return _load(path)


def load_credential(path: Path) -> Identity:
    """The identity in a file that systemd hands over: it guards the folder, and the file's mode tells of its ACL (0440)."""
    return _read(path)


def _load(path: Path) -> Identity:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyFileError(f"{path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {path}")
    return _read(path)


def _read(path: Path) -> Identity:
    try:
        return Identity.from_seed(bytes.fromhex(path.read_text().strip()))
    except ValueError as error:
        raise KeyFileError(
            f"{path} holds no key", hint="restore it from a backup, or move it away: a new identity is made"
        ) from error


def _create(path: Path, content: bytes) -> None:
    """Whoever comes first wins: link() never overwrites, so two starts at once agree on one key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        draft.unlink(missing_ok=True)
