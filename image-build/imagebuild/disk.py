"""The stage that puts the image together from files, without loop devices or mounts; and what is published beside it."""

import hashlib
import os
import shutil
import time
from pathlib import Path

from appliance.medium import grubenv
from appliance.medium.ids import FAT_SERIALS, fixed_uuid
from imagebuild import bios, bom, imager, layout, sizes
from imagebuild.layout import Partition
from imagebuild.locks import words
from imagebuild.plan import OURS, ROOT, Site, Wish
from imagebuild.stage import digest, say
from imagebuild.system import SIZES
from imagebuild.tree import Run
from imagebuild.version import version

BOOT = OURS / "boot"
_SIGNED = {  # Microsoft signed the shim, Debian signed GRUB and the kernel: Secure Boot stays on
    "usr/lib/shim/shimx64.efi.signed": "EFI/BOOT/BOOTX64.EFI",
    "usr/lib/shim/mmx64.efi.signed": "EFI/BOOT/mmx64.efi",
    "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed": "EFI/BOOT/grubx64.efi",
}
_LABELS = {"settings": "IAMINE", "esp": "IAMINE_EFI"}
_SLOT_FILES = ("vmlinuz", "initrd.img", "filesystem.squashfs")
_CODE = ("bios", "disk", "layout")


def image(site: Site, wish: Wish, builder_tree: Path, slot: Path) -> Path:
    """The stage's folder with `iamine.img`."""
    code = [OURS / "imagebuild" / f"{name}.py" for name in _CODE]
    key = digest([slot.name, builder_tree.parent.name, str(site.epoch), BOOT, *code], ROOT)

    def make(draft: Path, log: Path) -> None:
        tools = _Tools(Run(log, site.environ), builder_tree, draft, site.epoch)
        parts = {part.name: part for part in layout.partitions()}
        tools.fat(parts["settings"], {"iamine.toml": (BOOT / "iamine.toml").read_bytes(), "models/": b""})
        tools.fat(parts["esp"], _esp(builder_tree))
        tools.ext4(parts["system"], slot)
        core = tools.core()
        disk = draft / "iamine.img"
        with disk.open("wb") as file:
            file.truncate(layout.total_sectors() * layout.SECTOR_BYTES)
        (draft / "table").write_text(layout.sfdisk_script())
        tools.inside("sh", "-c", "sfdisk --quiet /work/iamine.img </work/table")
        _boot_sector(disk, builder_tree, core, parts["bios"])
        for name in ("settings", "esp", "system"):
            seek = parts[name].offset_bytes >> 20
            tools.run.host(
                "dd", f"if={draft}/{name}.part", f"of={disk}", "bs=1M", f"seek={seek}", "conv=notrunc,sparse", "status=none"
            )
        for path in draft.iterdir():
            if path != disk:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return site.shelf.take("image", key, "partitions, boot loaders, the image", make)


class _Tools:
    """The builder tree's tools at work in one folder, which is /work there."""

    def __init__(self, run: Run, tree: Path, folder: Path, epoch: int) -> None:
        self.run, self._tree, self._folder, self._epoch = run, tree, folder, epoch

    def inside(self, *command: str) -> None:
        self.run.inside(self._tree, {self._folder: "work", BOOT: "boot-files"}, *command)

    def _laid(self, name: str, files: dict[str, bytes]) -> list[str]:
        """The files written below `name/`, dated; their first path parts."""
        folder = self._folder / name
        for path, content in files.items():
            target = folder / path
            (target if path.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
            if not path.endswith("/"):
                target.write_bytes(content)
        for each in [*folder.rglob("*"), folder]:
            os.utime(each, (self._epoch, self._epoch))
        return sorted({path.split("/")[0] for path in files})

    def fat(self, part: Partition, files: dict[str, bytes]) -> None:
        first = " ".join(self._laid(part.name, files))
        made = f"mkfs.vfat -F 32 -n {_LABELS[part.name]} --invariant -i {FAT_SERIALS[part.name]} /work/{part.name}.part"
        with (self._folder / f"{part.name}.part").open("wb") as file:
            file.truncate(part.size_bytes)
        self.inside("sh", "-c", f"{made} && cd /work/{part.name} && mcopy -s -m -i /work/{part.name}.part {first} ::/")

    def ext4(self, part: Partition, slot: Path) -> None:
        for name in ("a", "b"):
            (self._folder / "system/live" / name).mkdir(parents=True)
        for name in _SLOT_FILES:
            os.link(slot / name, self._folder / "system/live/a" / name)
        with (self._folder / f"{part.name}.part").open("wb") as file:
            file.truncate(part.size_bytes)
        # No journal: mounted for reading only, but for updates. No checksums: its UUID can be changed while it is mounted.
        options = "-O ^has_journal,^orphan_file,^metadata_csum -m 0"
        ids = f"-U {fixed_uuid('system-fs')} -E hash_seed={fixed_uuid('hash')},root_owner=0:0,nodiscard"
        dated = f"find /work/system -exec touch -h -d @{self._epoch} {{}} +"
        make = f"E2FSPROGS_FAKE_TIME={self._epoch} mke2fs -q -t ext4 -L IAMINE_SYS {ids} {options} -d /work/system"
        self.inside("sh", "-c", f"{dated}; {make} /work/{part.name}.part")

    def core(self) -> bytes:
        modules = " ".join(words((BOOT / "grub-modules.txt").read_text()))
        where = "-d /usr/lib/grub/i386-pc -O i386-pc -p '(,gpt3)/grub' -c /boot-files/bios.cfg"
        self.inside("sh", "-c", f"grub-mkimage {where} -o /work/core.img {modules}")
        return (self._folder / "core.img").read_bytes()


def _esp(tree: Path) -> dict[str, bytes]:
    files = {target: (tree / source).read_bytes() for source, target in _SIGNED.items()}
    files["EFI/debian/grub.cfg"] = (BOOT / "efi.cfg").read_bytes()
    files["grub/grub.cfg"] = (BOOT / "grub.cfg").read_bytes()
    files["grub/grubenv"] = grubenv.block({"slot": "a", "try": "", "tries": "0", "iargs": ""})
    return files


def _boot_sector(disk: Path, tree: Path, core: bytes, part: Partition) -> None:
    boot = (tree / "usr/lib/grub/i386-pc/boot.img").read_bytes()
    with disk.open("r+b") as file:
        file.write(bios.boot_code(boot, part.start))
        file.seek(446)
        file.write(b"\x80")  # the protective MBR's entry marked active: some BIOSes start nothing else
        file.seek(part.offset_bytes)
        file.write(bios.core_image(core, part.start))


def _sizes(slot: Path, published: list[Path]) -> str:
    files = {path.name: path.stat().st_size for path in [*(slot / name for name in _SLOT_FILES), *published]}
    told = {name: size for name, size in files.items() if name in _SLOT_FILES or name.endswith(".zst")}
    return sizes.report(told, sizes.read(slot / SIZES))


def _os_list(image: Path, packed: Path, epoch: int, at: str) -> str:
    sums = {path: _sha256(path) for path in (image, packed)}
    release = imager.Release(
        version=version(ROOT),
        date=time.strftime("%Y-%m-%d", time.gmtime(epoch)),
        url=f"{(at or packed.parent.resolve().as_uri()).rstrip('/')}/{packed.name}",
        image_bytes=image.stat().st_size,
        image_sha256=sums[image],
        packed_bytes=packed.stat().st_size,
        packed_sha256=sums[packed],
    )
    return imager.os_list(release)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish(made: Path, slot: Path, out: Path, *, compress: bool, epoch: int, at: str = "") -> Path:
    """The image under its name in `out`, with .zst, list for the Imager, package list (SPDX), sizes and SHA256SUMS.

    `at`: the address of the folder where people will fetch it, for the Imager; this machine's own folder without it.
    """
    out.mkdir(parents=True, exist_ok=True)
    name = f"iamine_{version(ROOT)}_amd64"
    image = out / f"{name}.img"
    run = Run(out / f"{name}.log")
    run.host("cp", "--sparse=always", "--reflink=auto", made / "iamine.img", image)
    listed = out / f"{name}.spdx.json"
    listed.write_text(bom.spdx(name, (slot / "packages.tsv").read_text(), bom.locked(ROOT)))
    published = [image, listed]
    if compress:
        run.host("zstd", "-q", "-f", "-T0", "-9", image, "-o", out / f"{name}.img.zst")
        published += [out / f"{name}.img.zst", out / f"{name}.imager.json"]
        published[-1].write_text(_os_list(image, published[-2], epoch, at))
    told = _sizes(slot, published)
    (out / f"{name}.sizes.txt").write_text(told)
    say(told)
    run.host("sh", "-c", f"sha256sum {' '.join(path.name for path in published)} >SHA256SUMS", cwd=out)
    run.log.unlink()
    return image
