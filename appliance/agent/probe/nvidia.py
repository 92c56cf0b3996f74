"""NVIDIA's cards by NVML. Called in a child process: a broken driver may crash or hang."""

from types import ModuleType
from typing import Any

import pynvml  # type: ignore[import-untyped]

from appliance.agent.probe.answers import Nvml, NvmlDevice
from appliance.agent.view import Gauge


def ask(nvml: ModuleType = pynvml) -> Nvml:
    """The cards, or what NVML says instead."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Nvml(problem=str(error))
    try:
        count = nvml.nvmlDeviceGetCount()
        return Nvml(
            devices=tuple(_device(nvml, index) for index in range(count)), driver=_text(nvml.nvmlSystemGetDriverVersion())
        )
    except nvml.NVMLError as error:
        return Nvml(problem=str(error))
    finally:
        nvml.nvmlShutdown()


def _device(nvml: ModuleType, index: int) -> NvmlDevice:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    capability = _maybe(nvml, lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    return NvmlDevice(
        address=pci_address(_text(nvml.nvmlDeviceGetPciInfo(handle).busId)),
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=int(memory.total),
        memory_free_bytes=int(memory.free),
        capability=None if capability is None else (int(capability[0]), int(capability[1])),
        bus_bits=_maybe(nvml, lambda: nvml.nvmlDeviceGetMemoryBusWidth(handle)) or 0,
        memory_mhz=_maybe(nvml, lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM)) or 0,
    )


def gauges(nvml: ModuleType = pynvml) -> tuple[Gauge, ...]:
    """How hot each card is and what it takes. Only where `ask` has shown in a child that the driver is well."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        return tuple(_gauge(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError:
        return ()
    finally:
        nvml.nvmlShutdown()


def _gauge(nvml: ModuleType, index: int) -> Gauge:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    celsius = _maybe(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
    milliwatts = _maybe(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    return Gauge(
        name="GPU",
        celsius=None if celsius is None else float(celsius),
        watts=None if milliwatts is None else milliwatts / 1000,
    )


def pci_address(bus_id: str) -> str:
    """`0000:01:00.0` from NVML's `00000000:01:00.0`."""
    domain, _, rest = bus_id.lower().partition(":")
    return f"{domain[-4:]}:{rest}"


def _maybe(nvml: ModuleType, call: Any) -> Any:
    """What old cards and virtual ones do not tell is None."""
    try:
        return call()
    except nvml.NVMLError:
        return None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
