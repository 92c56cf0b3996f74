"""What this machine gives to a build: its Debian release, its apt's sources and settings, pip, git's dates, room."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from imagebuild.errors import BuildError
from imagebuild.mirrors import Source, image_sources

APT = Path("/etc/apt")
NEEDED = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "setpriv": "util-linux", "zstd": "zstd", "git": "git"}
FREE_BYTES = 8 * 10**9
EPOCH_WITHOUT_GIT = 1_790_000_000
_ACQUIRE = re.compile(r'^(Acquire::(?:http|https|Check|Retries|AllowInsecure)[^ ]*) "(.*)";$', re.MULTILINE)


def check(cache: Path, *, recipe: str = "image", free_bytes: int = FREE_BYTES) -> None:
    """Raises BuildError for what is missing, with the line that helps."""
    missing = sorted({package for tool, package in NEEDED.items() if shutil.which(tool) is None})
    if missing:
        raise BuildError(f"not installed: {', '.join(missing)}", hint=f"apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        raise BuildError(
            "the tree of tools is entered by pivot_root, which needs root", hint=f"sudo ./run {recipe} (or a container)"
        )
    cache.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(cache).free < free_bytes:
        hint = "free some, or name another folder with --cache DIR"
        raise BuildError(f"less than {free_bytes / 1e9:.0f} GB are free for {cache}", hint=hint)


def memory_bytes() -> int:
    """What may still be taken, by the kernel's reckoning."""
    found = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def sources() -> list[Source]:
    """The image's apt sources, from this machine's. Raises BuildError."""
    texts = [path.read_text() for path in [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*"))] if path.is_file()]
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return image_sources(texts, release.get("VERSION_CODENAME", "").strip('"'))


def apt_options() -> list[str]:
    """This machine's way to its mirrors (proxies, certificates), as options for mmdebstrap."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    return [f'--aptopt={name} "{value}"' for name, value in _ACQUIRE.findall(dump) if value]


def epoch(root: Path) -> int:
    """SOURCE_DATE_EPOCH, else when the lists of packages last changed, so that one source gives one image."""
    said = os.environ.get("SOURCE_DATE_EPOCH")
    if said:
        return int(said)
    command = ["git", "log", "-1", "--format=%ct", "--", "image-build/packages", "requirements"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True)
    return int(answer.stdout.strip() or EPOCH_WITHOUT_GIT)
