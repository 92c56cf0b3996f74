"""What bus, drivers and llama.cpp say is put together."""

import pytest

from appliance.agent.machine import Device
from appliance.agent.probe.answers import Answers, Engine, EngineDevice, Nvml, NvmlDevice
from appliance.agent.probe.devices import devices
from appliance.agent.probe.pci import GIB, Found

PLACE = "0000:01:00.0"
LISTED = EngineDevice(
    name="Vulkan0", description="A card", kind="GPU", memory_bytes=8 * GIB, memory_free_bytes=7 * GIB, address=PLACE
)


def found(vendor: str = "1002", *, driver: str = "amdgpu", memory: int = 8 * GIB) -> Found:
    return Found(address=PLACE, vendor=vendor, device="1", name="X graphics [1:1]", driver=driver, memory_bytes=memory)


def only(*on_bus: Found, engine: Engine = Engine(backends=("CPU",)), nvml: Nvml = Nvml(), software: bool = False) -> Device:  # noqa: B008
    (device,) = devices(on_bus, Answers(engine=engine, nvml=nvml), software=software)
    return device


def test_a_rasteriser_is_no_gpu_outside_tests() -> None:
    lavapipe = EngineDevice(
        name="Vulkan0", description="llvmpipe (LLVM 19)", kind="GPU", memory_bytes=GIB * 9, memory_free_bytes=GIB
    )
    engine = Engine(backends=("Vulkan", "CPU"), devices=(lavapipe,))
    assert "software rasteriser" in only(engine=engine).reason
    assert only(engine=engine, software=True).usable


def test_the_processor_itself_is_no_device() -> None:
    cpu = EngineDevice(name="CPU", description="A processor", kind="CPU", memory_bytes=GIB, memory_free_bytes=GIB)
    assert devices((), Answers(engine=Engine(backends=("CPU",), devices=(cpu,)))) == ()


def test_a_card_of_which_nothing_is_known_takes_llama_cpps_word() -> None:
    device = only(found(memory=0), engine=Engine(backends=("Vulkan",), devices=(LISTED,)))
    assert (device.name, device.memory_bytes, device.memory_free_bytes, device.usable) == ("A card", 8 * GIB, 7 * GIB, True)


def test_cuda_comes_before_vulkan_whichever_is_listed_first() -> None:
    cuda = EngineDevice(name="CUDA0", description="B", kind="GPU", memory_bytes=8 * GIB, memory_free_bytes=GIB, address=PLACE)
    for listed in ((LISTED, cuda), (cuda, LISTED)):
        assert only(found(), engine=Engine(backends=("CUDA", "Vulkan"), devices=listed)).backend == "cuda"


def test_a_card_that_only_the_driver_shows_is_listed() -> None:
    card = NvmlDevice(address=PLACE, name="RTX", memory_bytes=8 * GIB, memory_free_bytes=7 * GIB)
    assert "CPU only" in only(nvml=Nvml(devices=(card,))).reason
    assert only(nvml=Nvml(devices=(card,)), engine=Engine(backends=("CUDA",), devices=(LISTED,))).usable


def test_a_card_too_small_for_any_model_is_not_used() -> None:
    small = EngineDevice(name="Vulkan0", description="A", kind="GPU", memory_bytes=GIB // 2, memory_free_bytes=1, address=PLACE)
    assert "less than 1 GiB" in only(found(memory=GIB // 2), engine=Engine(backends=("Vulkan",), devices=(small,))).reason
    assert "less than 1 GiB" in only(found(memory=GIB // 2)).reason


@pytest.mark.parametrize(
    ("vendor", "driver", "nvml", "engine", "said"),
    [
        ("10de", "nouveau", Nvml(), Engine(backends=("CPU",)), "nouveau"),
        ("10de", "nvidia", Nvml(problem="did not answer in time"), Engine(backends=("CPU",)), "did not answer in time"),
        ("10de", "nvidia", Nvml(), Engine(backends=("CPU",)), "does not list this card"),
        ("1002", "", Nvml(), Engine(backends=("CPU",)), "load amdgpu"),
        ("8086", "", Nvml(), Engine(backends=("CPU",)), "load i915"),
        ("1002", "vfio-pci", Nvml(), Engine(backends=("Vulkan",)), "virtual machine"),
        ("5333", "x", Nvml(), Engine(backends=("CPU",)), "maker"),
        ("1002", "amdgpu", Nvml(), Engine(problem="crashed with signal 11"), "crashed with signal 11"),
        ("1002", "amdgpu", Nvml(), Engine(backends=("Vulkan", "CPU")), "mesa-vulkan-drivers"),
    ],
)
def test_every_reason_says_what_is_missing(vendor: str, driver: str, nvml: Nvml, engine: Engine, said: str) -> None:
    device = only(found(vendor, driver=driver), engine=engine, nvml=nvml)
    assert not device.usable
    assert said in device.reason
