"""The stages that are Debian trees: those whose tools make everything else, and the image's base."""

import shutil
from pathlib import Path

from imagebuild.locks import words
from imagebuild.mirrors import RELEASE
from imagebuild.plan import OURS, OVERLAY, ROOT, Site, Wish, package_list
from imagebuild.stage import digest
from imagebuild.tree import Run

_OPTIONS = (
    '--aptopt=Acquire::Check-Valid-Until "false"',
    '--aptopt=APT::Install-Recommends "false"',
)
_MICROCODE = r"IUCODE_TOOL_INITRAMFS=early\nIUCODE_TOOL_SCANCPUS=no\n"  # /etc/default/intel-microcode
LEFT_OUT = OURS / "packages" / "left-out.txt"
INITRAMFS = OVERLAY / "etc" / "initramfs-tools"
RESOLVER = Path("/etc/resolv.conf")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def _mmdebstrap(site: Site, target: Path | str, packages: list[str], *more: str) -> list[str]:
    """The command for a minimal tree in `target/tree`, with lists of its packages beside it."""
    columns = r"\t".join(f"${{{name}}}" for name in ("Package", "Version", "Architecture", "source:Package", "source:Version"))
    listing = f"""--customize-hook=chroot "$1" dpkg-query -W -f '{columns}\\n' >{target}/packages.tsv"""
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", *_OPTIONS, *site.apt_options, *more]
    return [*command, f"--include={','.join(packages)}", listing, RELEASE, f"{target}/tree", f"{target}/sources.list"]


def _left_out() -> list[str]:
    """dpkg's options for the files that the image does without."""
    lines = words(LEFT_OUT.read_text())
    return [
        f"--dpkgopt=path-include={line[1:]}" if line.startswith("+") else f"--dpkgopt=path-exclude={line}" for line in lines
    ]


def _write_sources(site: Site, target: Path) -> None:
    (target / "sources.list").write_text("".join(f"{source.line}\n" for source in site.sources))


def builder(site: Site) -> Path:
    """The tree whose tools make the image."""
    return tools(site, "builder")


def tools(site: Site, name: str) -> Path:
    """A tree with the packages of the list `name`."""
    packages = package_list(name)
    key = digest([*packages, *(source.suite for source in site.sources)], ROOT)

    def make(draft: Path, log: Path) -> None:
        _write_sources(site, draft)
        Run(log, site.environ).host(*_mmdebstrap(site, draft, packages))

    about = f"a tree of Debian {RELEASE} with {len(packages)} packages asked for"
    return site.shelf.take(name, key, about, make) / "tree"


def base(site: Site, wish: Wish, builder_tree: Path) -> Path:
    """Debian as the image has it, before anything of ours but what its initial RAM disk is made with."""
    packages = package_list("base", *(["graphics", "firmware"] if wish.firmware else []))
    key = digest([*packages, str(site.epoch), builder_tree.parent.name, *_left_out(), _MICROCODE, INITRAMFS], ROOT)

    def make(draft: Path, log: Path) -> None:
        for file in (RESOLVER, CERTIFICATES):  # this machine's way out, for the tools inside
            shutil.copyfile(file, builder_tree / file.relative_to("/"))
        _write_sources(site, draft)
        copied = 'mkdir -p "$1/etc/initramfs-tools" "$1/etc/default"; cp -r /work/initramfs/. "$1/etc/initramfs-tools/"'
        hook = f"""--essential-hook={copied}; printf '{_MICROCODE}' >"$1/etc/default/intel-microcode\""""
        binds = {draft: "work/out", INITRAMFS: "work/initramfs"}
        command = _mmdebstrap(site, "/work/out", packages, *_left_out(), hook)
        Run(log, site.environ).inside(builder_tree, binds, *command)

    return site.shelf.take("base", key, f"Debian {RELEASE} for the image, {len(packages)} packages asked for", make)
