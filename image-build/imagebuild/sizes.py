"""Who takes the room: every package's part of a slot, told as a table beside the image."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from imagebuild.wheels import VENV

SHOWN = 10
_VENV = f"/{VENV}/"
_ABOUT = ("-q", "-3", "-T1", "-c")  # nearly in the proportion of the real one, and thirty times as fast


def contributors(tree: Path) -> dict[str, tuple[int, int]]:
    """(bytes, bytes when compressed alone) of every Debian package, Python package and of the rest of the tree."""
    owners = _debian(tree)
    found: dict[str, list[Path]] = {}
    for path in _files(tree):
        name = "/" + str(path.relative_to(tree))
        found.setdefault(owners.get(name) or _other(name), []).append(path)
    return {owner: (sum(path.stat().st_size for path in paths), _compressed(paths)) for owner, paths in sorted(found.items())}


def report(parts: Mapping[str, int], contributed: Mapping[str, tuple[int, int]]) -> str:
    """The table: the image's files, then the largest contributors to the squashfs, scaled to its true size."""
    whole = parts["filesystem.squashfs"]
    alone = sum(compressed for _, compressed in contributed.values()) or 1
    lines = [f"{size / 1e6:8.1f} MB  {name}" for name, size in parts.items()]
    lines += [f"{sum(parts[name] for name in parts if not name.startswith('iamine')) / 1e6:8.1f} MB  all of a slot", ""]
    lines.append(f"The {SHOWN} largest of {len(contributed)} in filesystem.squashfs: about MB in it, MB unpacked")
    ranked = sorted(contributed.items(), key=lambda item: -item[1][1])[:SHOWN]
    lines += [f"{packed * whole / alone / 1e6:8.1f} {size / 1e6:8.1f}  {owner}" for owner, (size, packed) in ranked]
    return "\n".join(lines) + "\n"


def write(tree: Path, to: Path) -> None:
    """Keep `contributors` for the report."""
    to.write_text(json.dumps(contributors(tree)) + "\n")


def read(path: Path) -> dict[str, tuple[int, int]]:
    """What `write` kept."""
    return {owner: (size, packed) for owner, (size, packed) in json.loads(path.read_text()).items()}


def _files(tree: Path) -> Iterable[Path]:
    for folder, folders, names in os.walk(tree):
        folders.sort()
        if Path(folder) == tree:
            folders[:] = [name for name in folders if name not in {"boot", "oldroot", "work"}]
        yield from (path for path in (Path(folder, name) for name in sorted(names)) if path.is_file() and not path.is_symlink())


def _debian(tree: Path) -> dict[str, str]:
    """Path -> package, as dpkg knows it; /lib and /bin are links to those in /usr."""
    owners = {}
    for listed in sorted((tree / "var/lib/dpkg/info").glob("*.list")):
        package = listed.stem.split(":")[0]
        for line in listed.read_text().splitlines():
            merged = f"/usr{line}" if line.startswith(("/lib/", "/bin/", "/sbin/", "/lib64/")) else line
            owners[merged] = package
    return owners


def _other(name: str) -> str:
    if name.startswith(_VENV):
        inside = name.removeprefix(_VENV).split("/")
        packages = inside.index("site-packages") if "site-packages" in inside else -1
        return f"python: {inside[packages + 1].split('-')[0].removesuffix('.libs')}"
    if "/__pycache__/" in name:
        return "compiled Python of Debian"
    return "the rest (overlay, caches)"


def _compressed(paths: Iterable[Path]) -> int:
    zstd = subprocess.Popen(["zstd", *_ABOUT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert zstd.stdin is not None and zstd.stdout is not None
    reader = subprocess.Popen(["wc", "-c"], stdin=zstd.stdout, stdout=subprocess.PIPE)
    zstd.stdout.close()
    with zstd.stdin as pipe:
        for path in paths:
            pipe.write(path.read_bytes())
    told, _ = reader.communicate()
    zstd.wait()
    return int(told)
