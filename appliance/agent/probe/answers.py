"""What drivers and llama.cpp say when they are asked in a child process: the values that cross the pipe."""

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the child's answer."""


class NvmlDevice(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """A card as NVIDIA's driver knows it; memory in bytes, its clock in MHz, its bus in bits."""

    address: str
    name: str
    memory_bytes: int
    memory_free_bytes: int
    capability: tuple[int, int] | None = None
    bus_bits: int = 0
    memory_mhz: int = 0


class Nvml(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """All cards of NVIDIA's driver, or why there are none."""

    devices: tuple[NvmlDevice, ...] = ()
    driver: str = ""
    problem: str = ""


class EngineDevice(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """A device of llama.cpp; `kind` is CPU, GPU, IGPU or ACCEL, `address` "" where it does not tell one."""

    name: str
    description: str
    kind: str
    memory_bytes: int
    memory_free_bytes: int
    address: str = ""


class Engine(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """llama.cpp's devices and backends, or why it does not answer."""

    folder: str = ""
    devices: tuple[EngineDevice, ...] = ()
    backends: tuple[str, ...] = ()
    variant: str = ""
    problem: str = ""


class Names(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """Names for people by PCI address, from udev's database."""

    names: dict[str, str] = {}
    problem: str = ""


class Answers(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that was asked."""

    nvml: Nvml = Nvml()
    engine: Engine = Engine()
    names: Names = Names()
