"""Commands on the host and inside a tree of tools.

Inside: namespaces of their own for mounts and processes. What is bound there, and whatever was started, goes with the command;
the command goes with this process (the kernel kills it), however that ends.
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagebuild.errors import BuildError

# pivot_root, not chroot: the tools see a proper root, and no mount of ours can be left behind
_ENTER = r"""
set -eu
tree=$1; shift
mount --make-rprivate /
mount --bind "$tree" "$tree"
while [ "$1" != -- ]; do mkdir -p "$tree/$2"; mount --rbind "$1" "$tree/$2"; shift 2; done; shift
cd "$tree"
mkdir -p oldroot
mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev; mount -t tmpfs tmpfs run; mount -t tmpfs tmpfs tmp
pivot_root . oldroot
umount -l /oldroot
cd /
exec "$@"
"""
_WITH_US = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def entering(tree: Path, binds: Mapping[Path, str], *command: str | Path) -> list[str]:
    """The command line that runs `command` in the tree; `binds` maps folders here to paths there. Descriptors are inherited."""
    bound = [part for source, target in binds.items() for part in (str(source), target)]
    return [*_WITH_US, "sh", "-c", _ENTER, "enter", str(tree), *bound, "--", *(str(part) for part in command)]


@dataclass(frozen=True, slots=True)
class Run:
    """How commands run: their output goes to `log`, and each line to `watch`; `environ` is added to a bare environment."""

    log: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    watch: Callable[[str], None] = lambda _line: None

    def host(self, *command: str | Path, cwd: Path | None = None) -> None:
        """On this machine, with its whole environment. Raises BuildError."""
        self._call([str(part) for part in command], {**os.environ, **self.environ}, cwd)

    def inside(self, tree: Path, binds: Mapping[Path, str], *command: str | Path) -> None:
        """In the tree as its root; `binds` maps folders here to paths there. Raises BuildError."""
        self._call(
            entering(tree, binds, *command),
            {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TZ": "UTC", **self.environ},
            None,
        )

    def _call(self, command: Sequence[str], environ: Mapping[str, str], cwd: Path | None) -> None:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environ, cwd=cwd
        )
        try:
            code = self._follow(child)
        except BaseException:
            child.kill()
            child.wait()
            raise
        if code != 0:
            shown = " ".join(command[-6:])
            raise BuildError(
                f"a command ended with {code}: ...{shown[-160:]}", hint="read the log; then the same command again"
            )

    def _follow(self, child: "subprocess.Popen[bytes]") -> int:
        assert child.stdout is not None
        with self.log.open("ab") as log, child.stdout:
            for line in child.stdout:
                log.write(line)
                self.watch(line.decode(errors="replace").rstrip())
        return child.wait()
