"""The command line of a build."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from imagebuild import disk, engine, session, system, trees, wheels
from imagebuild.plan import ROOT, Site, Wish


def main(arguments: Sequence[str]) -> int:
    """Build; 0, or 1 with what went wrong and what to try."""
    args = _parser().parse_args(arguments)

    def work(site: Site) -> Path:
        return build(site, _wish(args), args.out, args.at)

    return session.run(args.cache, work, recipe="image")


def build(site: Site, wish: Wish, out: Path, at: str = "") -> Path:
    """Every stage in its order; the image's path. Raises BuildError."""
    builder = trees.builder(site)
    packages = wheels.fetched(site)
    base = trees.base(site, wish, builder)
    venv = wheels.venv(site, builder, packages, engine.libraries(site))
    slot = system.slot(site, wish, builder, base, venv)
    image = disk.image(site, wish, builder, slot)
    return disk.publish(image, slot, out, compress=wish.zstd_level > 1, epoch=site.epoch, at=at)


def _parser() -> argparse.ArgumentParser:
    cache = session.default_cache()
    parser = argparse.ArgumentParser(prog="just image", description="Build iamine_VERSION_amd64.img, a live stick that works.")
    parser.add_argument("--pool", default="", metavar="URL", help="a pool for sticks whose settings name none")
    parser.add_argument("--pool-key", default="", metavar="FINGERPRINT", help="that pool's fingerprint")
    parser.add_argument("--at", default="", metavar="URL", help="the folder where people will fetch it, for the Imager's list")
    parser.add_argument("--no-firmware", action="store_true", help="without firmware and Mesa: for virtual machines and tests")
    parser.add_argument("--quick", action="store_true", help="compress little and write no .zst: to try something")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="where the image goes (default: dist)")
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help=f"where stages are kept (default: {cache})")
    return parser


def _wish(args: argparse.Namespace) -> Wish:
    return Wish(
        pool=args.pool, pool_key=args.pool_key, firmware=not args.no_firmware, zstd_level=1 if args.quick else Wish().zstd_level
    )
