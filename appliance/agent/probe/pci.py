"""Display devices as the kernel lists them, with or without a driver: the PCI bus first, then what is soldered elsewhere."""

from dataclasses import dataclass
from pathlib import Path

from appliance.agent.probe.files import fields, first_number, link_name, number, read

_DISPLAY_CLASS = "0x03"
_PREFETCHABLE, _MEMORY_64 = 0x2000, 0x100000  # IORESOURCE_PREFETCH, IORESOURCE_MEM_64 (include/linux/ioport.h)
GIB = 1 << 30
NVIDIA, AMD, INTEL = "10de", "1002", "8086"
MAKERS = {NVIDIA: "NVIDIA", AMD: "AMD", INTEL: "Intel"}
# Displays that compute nothing: of virtual machines, and of servers' management chips
DISPLAYS = {
    "1234": "a virtual machine's display", "1af4": "a virtual machine's display", "15ad": "a virtual machine's display",
    "1414": "a virtual machine's display", "1b36": "a virtual machine's display", "80ee": "a virtual machine's display",
    "1013": "a virtual machine's display", "1a03": "a server's management display", "102b": "a server's management display",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A display device before anybody was asked about it; memory in bytes, 0 where nothing tells it."""

    address: str
    vendor: str
    device: str
    name: str
    driver: str
    shared: bool = False
    memory_bytes: int = 0
    memory_free_bytes: int = 0
    bytes_per_s: float = 0.0


def displays(root: Path) -> tuple[Found, ...]:
    """What /sys under `root` lists, in the order of the addresses; devices off the PCI bus last."""
    on_bus = [_found(root, each) for each in sorted((root / "sys/bus/pci/devices").glob("*")) if _is_display(each)]
    cards = sorted((root / "sys/class/drm").glob("card[0-9]*"))
    elsewhere = [_platform(card) for card in cards if card.name[4:].isdigit() and not (card / "device/vendor").exists()]
    return (*on_bus, *(found for found in elsewhere if found is not None))


def _is_display(device: Path) -> bool:
    return (read(device / "class") or "").startswith(_DISPLAY_CLASS)


def _found(root: Path, device: Path) -> Found:
    vendor, number_ = ((read(device / name) or "").removeprefix("0x") for name in ("vendor", "device"))
    total, free, shared = _memory(device, vendor)
    return Found(
        address=device.name,
        vendor=vendor,
        device=number_,
        name=_name(device, vendor, number_),
        driver=link_name(device / "driver"),
        shared=shared,
        memory_bytes=total,
        memory_free_bytes=free,
        bytes_per_s=0.0 if shared else _kfd_bytes_per_s(root, device.name),
    )


def _platform(card: Path) -> Found | None:
    """A device that is part of the processor's board, as on a Raspberry Pi; None where it has no driver's name."""
    driver = fields(card / "device/uevent", "=").get("DRIVER", "")
    return Found(address="", vendor="", device="", name=driver, driver=driver, shared=True) if driver else None


def _name(device: Path, vendor: str, number_: str) -> str:
    maker = MAKERS.get(vendor, vendor or "unknown")
    product = read(device / "product_name") or "graphics"
    return f"{product if product.startswith(maker) else f'{maker} {product}'} [{vendor}:{number_}]"


def _memory(device: Path, vendor: str) -> tuple[int, int, bool]:
    """(total, free, whether it is the system's own) by what the driver tells, else by the size of the memory window."""
    if vendor == AMD and (total := number(device / "mem_info_vram_total")):
        return _amd(device, total)
    card = next(iter(sorted((device / "drm").glob("card[0-9]*"))), device)
    own = number(card / "lmem_total_bytes") or first_number(device / "tile0", "physical_vram_size_bytes") or 0
    if vendor == INTEL and (device.name.split(":")[1:2] == ["00"]) and not own:
        return 0, 0, True
    total = own or _window_bytes(device)
    return total, number(card / "lmem_avail_bytes") or total, False


def _amd(device: Path, total: int) -> tuple[int, int, bool]:
    """An APU's carve-out has no maker of memory chips; what it may take of the system's (GTT) is its memory too."""
    free = total - (number(device / "mem_info_vram_used") or 0)
    maker = read(device / "mem_info_vram_vendor")
    if maker == "unknown" or (maker is None and total <= 2 * GIB):
        shared = number(device / "mem_info_gtt_total") or 0
        return total + shared, max(0, free) + max(0, shared - (number(device / "mem_info_gtt_used") or 0)), True
    return total, max(0, free), False


def _window_bytes(device: Path) -> int:
    """The largest 64-bit prefetchable window if it may be the whole memory (resizable BAR: at least 1 GiB); else 0."""
    largest = 0
    for line in (read(device / "resource") or "").splitlines()[:6]:
        words = line.split()
        if len(words) == 3:
            start, end, flags = (int(word, 16) for word in words)
            if flags & _PREFETCHABLE and flags & _MEMORY_64 and end > start:
                largest = max(largest, end - start + 1)
    return largest if largest >= GIB else 0


def _kfd_bytes_per_s(root: Path, address: str) -> float:
    """Memory speed from the compute driver's topology (width in bits, clock in MHz); 0.0 where it does not list the device.

    Transfers per clock: HBM 2, GDDR5 4, GDDR6 16 (the clock told is a quarter or an eighth of the pins').
    """
    for node in sorted((root / "sys/class/kfd/kfd/topology/nodes").glob("*")):
        found = fields(node / "properties", " ")
        if not _is_at(found, address):
            continue
        bank = fields(node / "mem_banks/0/properties", " ")
        width, clock = (int(bank.get(name, "0") or 0) for name in ("width", "mem_clk_max"))
        per_clock = 2 if width >= 1024 else 4 if clock > 1500 else 16
        return width / 8 * clock * 1e6 * per_clock
    return 0.0


def _is_at(properties: dict[str, str], address: str) -> bool:
    """location_id is bus << 8 | device << 3 | function."""
    try:
        domain, bus, rest = address.split(":")
        slot, function = rest.split(".")
        place = int(bus, 16) << 8 | int(slot, 16) << 3 | int(function, 16)
    except ValueError:
        return False
    return properties.get("location_id") == str(place) and int(properties.get("domain", "0")) == int(domain, 16)
