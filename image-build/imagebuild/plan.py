"""What an image is asked to be, and the folders a build works with."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from imagebuild.locks import words
from imagebuild.mirrors import Source
from imagebuild.stage import Shelf

ROOT = Path(__file__).parents[2]
OURS = ROOT / "image-build"
OVERLAY = ROOT / "appliance" / "rootfs"
LOCKS = ROOT / "requirements"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The options of `just image`. `zstd_level` of the squashfs: 15 to give away, 1 to try something."""

    pool: str = ""
    pool_key: str = ""
    firmware: bool = True
    zstd_level: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a build happens: its shelf of stages, the apt sources and options of this machine, the date it pretends."""

    shelf: Shelf
    sources: tuple[Source, ...]
    apt_options: tuple[str, ...]
    epoch: int
    jobs: int = field(default_factory=lambda: max(1, len(os.sched_getaffinity(0))))

    @property
    def environ(self) -> dict[str, str]:
        """What every tool of a build is told."""
        return {"SOURCE_DATE_EPOCH": str(self.epoch), "MTOOLS_SKIP_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def package_list(*names: str) -> list[str]:
    """The Debian packages of these lists, sorted."""
    return sorted({word for name in names for word in words((OURS / "packages" / f"{name}.txt").read_text())})
