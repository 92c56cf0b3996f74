"""What a machine is: processor, memory, graphics devices and what surrounds them, as one frozen value."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from iamine.wire import messages

Backend = Literal["cuda", "vulkan", "metal", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """The processors this process may use. `cores_fast` are the physical cores worth a thread: on a hybrid chip the P-cores.

    `cores_usable` is cores' worth of time after affinity and cgroup quota. `copy_bytes_per_s` is the measured speed of copying
    (bytes read and bytes written), 0.0 where it was not measured. `features` are the instruction sets that matter to llama.cpp.
    """

    name: str
    architecture: str
    cores_physical: int
    cores_fast: int
    cores_usable: float
    threads: int
    features: tuple[str, ...] = ()
    numa_nodes: int = 1
    copy_bytes_per_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """RAM under the smallest limit above this process; swap does not count. `limit` says which cgroup set it, "" for none."""

    total_bytes: int
    available_bytes: int
    limit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A graphics device; not `usable` says why in `reason`. `address` is its place on the PCI bus, "" where there is none.

    `shared` memory is the system's own. `bytes_per_s` is the memory's speed, 0.0 where unknown; `capability` is NVIDIA's;
    `driver_version` is "" where the driver does not tell it; `engine_name` is what llama.cpp calls it ("Vulkan0"), or "".
    `left_out`: it would be usable, but engines on it kept dying.
    """

    name: str
    address: str = ""
    driver: str = ""
    driver_version: str = ""
    backend: Backend = "none"
    engine_name: str = ""
    shared: bool = False
    memory_bytes: int = 0
    memory_free_bytes: int = 0
    bytes_per_s: float = 0.0
    capability: tuple[int, int] | None = None
    usable: bool = False
    reason: str = ""
    left_out: bool = False

    @property
    def place(self) -> str:
        """What tells it from the machine's other devices."""
        return self.address or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """`percent` is None where it is not told; `plugged` None likewise."""

    percent: float | None
    plugged: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineBuild:
    """What llama.cpp says of itself: its libraries' folder, its backends, the CPU variant chosen; or the `problem` instead."""

    folder: str = ""
    backends: tuple[str, ...] = ()
    variant: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The machine as it was in one moment; every absence is a value. `took_s` is how long the look took."""

    cpu: Cpu
    memory: Memory
    devices: tuple[Device, ...] = ()
    os: str = ""
    virtual: str = ""
    container: str = ""
    battery: Battery | None = None
    engine: EngineBuild = EngineBuild()
    problems: tuple[str, ...] = ()
    took_s: float = 0.0

    @property
    def usable_devices(self) -> tuple[Device, ...]:
        """The devices a model can run on together: llama.cpp leaves shared-memory ones aside where there are others."""
        usable = tuple(device for device in self.devices if device.usable)
        return tuple(device for device in usable if not device.shared) or usable[:1]

    def without(self, places: Collection[str], reason: str) -> "Hardware":
        """The same machine whose usable devices at these places are left out."""
        devices = tuple(
            replace(each, usable=False, left_out=True, reason=reason) if each.usable and each.place in places else each
            for each in self.devices
        )
        return replace(self, devices=devices)

    def told(self) -> messages.Hardware:
        """What the pool is told of it; a device that is not used has the backend "none"."""
        return messages.Hardware(
            cpu=self.cpu.name,
            cores_physical=self.cpu.cores_physical,
            cores_usable=self.cpu.cores_usable,
            memory_bytes=self.memory.total_bytes,
            memory_available_bytes=self.memory.available_bytes,
            gpus=tuple(
                messages.Gpu(
                    name=device.name,
                    backend=device.backend if device.usable else "none",
                    memory_bytes=device.memory_bytes,
                    memory_free_bytes=device.memory_free_bytes,
                )
                for device in self.devices
            ),
            os=self.os,
        )
