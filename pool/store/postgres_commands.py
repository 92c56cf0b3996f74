"""How PostgreSQL's programs are run: which user, which arguments, which folder for the socket. Pure."""

import hashlib
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from iamine.child import dies_with_parent

USER = "iamine"
DATABASE = "iamine"
NOBODY = 65534
MAX_SOCKET_PATH_BYTES = 107  # sockaddr_un.sun_path has 108 bytes, one of them the final zero (unix(7))
SOCKET_NAME = ".s.PGSQL.5432"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "fsync": "on",
    "jit": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """Put `prefix` before a command; the data belongs to user `owner` (None: to whoever runs the pool)."""

    prefix: tuple[str, ...]
    owner: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Who runs the pool: its effective uid, whether the machine has a name for it, and the uid of some named user but root."""

    euid: int
    has_name: bool
    somebody: int


def run_as(users: Users, *, user_namespaces: bool) -> RunAs:
    """postgres refuses root, and initdb refuses a user without a name. Both become somebody in a namespace of their own, so
    that the files stay theirs and folders like /root (0700) can be passed. Where root may not make one (Docker), it becomes
    somebody for real, and passes folders by one capability; the secure bit makes access(2), by which initdb looks for its
    programs, count it too (seen in a chroot whose clone lay in /root).
    """
    if users.euid != 0 and users.has_name:
        return RunAs(prefix=(), owner=None)
    if user_namespaces:
        mapped = (f"--map-user={users.somebody}", f"--map-group={users.somebody}")
        return RunAs(prefix=("unshare", "--user", *mapped, "--"), owner=0 if users.euid == 0 else None)
    if users.euid != 0:
        return RunAs(prefix=(), owner=None)
    became = (f"--reuid={users.somebody}", f"--regid={users.somebody}", "--clear-groups")
    capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return RunAs(prefix=("setpriv", *became, *capability, "--securebits=+no_setuid_fixup", "--"), owner=users.somebody)


def initdb(binaries: Path, target: Path, password_file: Path, who: RunAs) -> tuple[str, ...]:
    """Makes a new cluster in `target`. The builtin locale needs nothing of the machine."""
    options = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--auth=scram-sha-256")
    command = (str(binaries / "initdb"), "-D", str(target), "-U", USER, f"--pwfile={password_file}", *options)
    return (*who.prefix, *dies_with_parent(signal.SIGKILL), *command)


def postgres(binaries: Path, cluster: Path, sockets: Path, who: RunAs) -> tuple[str, ...]:
    """Runs the server in the foreground; it stops itself (fast shutdown) when the pool's main thread is gone."""
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    command = (str(binaries / "postgres"), "-D", str(cluster), "-k", str(sockets), *settings)
    return (*who.prefix, *dies_with_parent(signal.SIGINT), *command)


def socket_folders(data_dir: Path, environ: Mapping[str, str], euid: int) -> tuple[Path, ...]:
    """Where the socket may be, best first: inside the data folder unless its path is too long for a socket."""
    short_name = f"iamine-{euid}-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]}"
    bases = [environ.get("XDG_RUNTIME_DIR") or "", environ.get("TMPDIR") or "", "/tmp"]  # noqa: S108 - made 0700, owner checked
    folders = [data_dir / "socket", *(Path(base) / short_name for base in bases)]
    return tuple(f for f in folders if f.is_absolute() and fits_socket(f))


def fits_socket(folder: Path) -> bool:
    """Is the socket's path in this folder short enough?"""
    return len(str(folder / SOCKET_NAME).encode()) <= MAX_SOCKET_PATH_BYTES


def dsn(sockets: Path, password: str, database: str = DATABASE) -> str:
    """What clients connect to."""
    return f"postgresql://{USER}:{quote(password, safe='')}@/{database}?host={quote(str(sockets), safe='')}"


def last_lines(log: str, count: int = 4) -> str:
    """The end of a log in one line, for an error message."""
    lines: Sequence[str] = [line.strip() for line in log.splitlines() if line.strip()]
    return " / ".join(lines[-count:])
