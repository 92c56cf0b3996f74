"""One list of graphics devices out of what the bus, the drivers and llama.cpp say, with a reason for each that is not used."""

from dataclasses import replace

from appliance.agent.machine import Backend, Device
from appliance.agent.probe.answers import Answers, Engine, EngineDevice, NvmlDevice
from appliance.agent.probe.pci import AMD, DISPLAYS, GIB, INTEL, MAKERS, NVIDIA, Found

LEAST_BYTES = 1 * GIB
RASTERISERS = ("llvmpipe", "lavapipe", "softpipe", "swiftshader")
_BACKENDS: dict[str, Backend] = {"CUDA": "cuda", "Vulkan": "vulkan", "MTL": "metal", "Metal": "metal"}
_DRIVERS = {
    NVIDIA: "install NVIDIA's driver (branch 580 knows Maxwell to Blackwell)",
    AMD: "load amdgpu: install a newer kernel and AMD's firmware",
    INTEL: "load i915 or xe: install a newer kernel and Intel's firmware",
}


def devices(found: tuple[Found, ...], answers: Answers, *, software: bool = False) -> tuple[Device, ...]:
    """All devices, those of the bus first. `software` takes a rasteriser for a GPU, which only a test wants."""
    nvml = {each.address: each for each in answers.nvml.devices}
    engine = _by_address(answers.engine)
    on_bus = [
        _device(each, nvml.get(each.address), engine.get(each.address), answers)
        for each in found
    ]  # fmt: skip
    known = {each.address for each in found}
    drivers = [_of_nvml(each, engine.get(each.address), answers) for each in answers.nvml.devices if each.address not in known]
    known |= set(nvml)
    engines = [
        _of_engine(each, software=software)
        for each in answers.engine.devices
        if each.kind in {"GPU", "IGPU"} and (not each.address or each.address not in known)
    ]
    return _leave_shared([*on_bus, *drivers, *engines])


def backend_of(name: str) -> Backend:
    """The backend by llama.cpp's name of a device, such as CUDA0 or Vulkan1."""
    return next((backend for prefix, backend in _BACKENDS.items() if name.startswith(prefix)), "none")


def _by_address(engine: Engine) -> dict[str, EngineDevice]:
    """llama.cpp's GPUs by address; of a card that two backends list CUDA's entry."""
    listed: dict[str, EngineDevice] = {}
    for each in engine.devices:
        if (
            each.address
            and each.kind in {"GPU", "IGPU"}
            and backend_of(listed[each.address].name if each.address in listed else "") != "cuda"
        ):
            listed[each.address] = each
    return listed


def _device(found: Found, nvml: NvmlDevice | None, engine: EngineDevice | None, answers: Answers) -> Device:
    base = Device(
        name=answers.names.names.get(found.address) or found.name,
        address=found.address,
        driver=found.driver,
        shared=found.shared,
        memory_bytes=found.memory_bytes,
        memory_free_bytes=found.memory_free_bytes,
        bytes_per_s=found.bytes_per_s,
    )
    if nvml:
        base = _with_nvml(base, nvml, answers)
    if engine:
        return _with_engine(base, engine)
    return replace(base, reason=_why_not(found, nvml, base, answers))


def _of_nvml(nvml: NvmlDevice, engine: EngineDevice | None, answers: Answers) -> Device:
    """A card that the driver knows and the bus does not show, as under WSL."""
    base = _with_nvml(Device(name=nvml.name, address=nvml.address, driver="nvidia"), nvml, answers)
    return _with_engine(base, engine) if engine else replace(base, reason=_not_listed(answers.engine))


def _of_engine(engine: EngineDevice, *, software: bool) -> Device:
    """A device that only llama.cpp knows."""
    base = _with_engine(Device(name=engine.description, address=engine.address), engine)
    if any(word in engine.description.lower() for word in RASTERISERS) and not software:
        return replace(base, usable=False, reason="draws on the processor: a software rasteriser is no GPU")
    return base


def _with_nvml(base: Device, nvml: NvmlDevice, answers: Answers) -> Device:
    return replace(
        base,
        name=nvml.name,
        driver_version=answers.nvml.driver,
        memory_bytes=nvml.memory_bytes,
        memory_free_bytes=nvml.memory_free_bytes,
        bytes_per_s=nvml.bus_bits / 8 * nvml.memory_mhz * 1e6 * 2,  # NVML's clock is half of the pins' rate
        capability=nvml.capability,
    )


def _with_engine(base: Device, engine: EngineDevice) -> Device:
    """llama.cpp can use it; its free memory counts where no driver told a smaller one."""
    free = [each for each in (base.memory_free_bytes, engine.memory_free_bytes) if each]
    usable = replace(
        base,
        name=base.name if "graphics [" not in base.name else engine.description,
        backend=backend_of(engine.name),
        engine_name=engine.name,
        shared=base.shared or engine.kind == "IGPU",
        memory_bytes=base.memory_bytes or engine.memory_bytes,
        memory_free_bytes=min(free, default=0),
    )
    if usable.memory_bytes < LEAST_BYTES:
        return replace(usable, reason=f"has {usable.memory_bytes / 1e6:.0f} MB of memory; less than 1 GiB carries no model")
    return replace(usable, usable=True)


def _why_not(found: Found, nvml: NvmlDevice | None, device: Device, answers: Answers) -> str:
    """Why llama.cpp does not have it, and what would help."""
    if found.vendor in DISPLAYS:
        return f"{DISPLAYS[found.vendor]}, not a GPU"
    if found.address and found.vendor not in MAKERS:
        return "of a maker that llama.cpp has no backend for"
    if not found.address:
        return f"the {found.driver} driver has no backend in llama.cpp"
    if found.driver == "vfio-pci":
        return "given to a virtual machine (vfio-pci)"
    if not found.driver:
        return f"no driver has taken it; {_DRIVERS[found.vendor]}"
    if found.vendor == NVIDIA and nvml is None:
        return _why_no_nvml(found, answers)
    if found.vendor != NVIDIA and not found.shared and 0 < device.memory_bytes < LEAST_BYTES:
        return f"has {device.memory_bytes / 1e6:.0f} MB of memory; less than 1 GiB carries no model"
    return _not_listed(answers.engine)


def _why_no_nvml(found: Found, answers: Answers) -> str:
    if found.driver == "nouveau":
        return f"the nouveau driver runs it; {_DRIVERS[NVIDIA]}"
    told = answers.nvml.problem or "it does not list this card"
    return f"NVIDIA's driver does not answer for it ({told}); install it again, then reboot"


def _not_listed(engine: Engine) -> str:
    if engine.problem:
        return f"llama.cpp was not able to tell its devices: {engine.problem}"
    gpu = [name for name in engine.backends if name not in {"CPU", "BLAS", "RPC"}]
    if not gpu:
        return "llama.cpp is built for the CPU only; build it with GGML_VULKAN=ON (or GGML_CUDA=ON) to use this device"
    return f"llama.cpp's backend ({', '.join(gpu)}) does not list it; install its Vulkan driver (mesa-vulkan-drivers) or CUDA's"


def _leave_shared(found: list[Device]) -> tuple[Device, ...]:
    """Devices with memory of their own come alone."""
    if not any(each.usable and not each.shared for each in found):
        return tuple(found)
    reason = "shares the system's memory; the card with memory of its own is used instead"
    return tuple(replace(each, usable=False, reason=reason) if each.usable and each.shared else each for each in found)
