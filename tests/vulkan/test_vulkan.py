"""The whole way to a GPU without one: probe, engine, and an agent joined to a pool, on Mesa's driver for processors."""

import json
import shutil
import subprocess
from pathlib import Path

import openai
import pytest
from guest import LIMIT_S, ON, Engine, Guest
from house import House, free_port, wait_for

from appliance.agent.engine.protocol import Load, LoadFailed

QUESTIONS = ("hello", "count from 3 to 12", "What is your name?", "repeat: blue horse river", "2 + 3")


def test_a_rasteriser_is_listed_and_not_used_and_the_variant_is_told(guest: Guest) -> None:
    found = guest.probe(ON)["hardware"]
    assert {"CPU", "Vulkan"} <= set(found["engine"]["backends"]) and found["engine"]["variant"]
    (device,) = found["devices"]
    assert "llvmpipe" in device["name"] and not device["usable"] and "rasteriser" in device["reason"]
    (device,) = guest.probe({**ON, "IAMINE_SOFTWARE_GPU": "1"})["hardware"]["devices"]
    assert (device["usable"], device["backend"], device["engine_name"]) == (True, "vulkan", "Vulkan0")


@pytest.mark.parametrize("environ", [{}, {"VK_DRIVER_FILES": "/none.json"}, {**ON, "GGML_VK_VISIBLE_DEVICES": "7"}])
def test_without_a_device_there_is_the_processor_and_no_problem(guest: Guest, environ: dict[str, str]) -> None:
    found = guest.probe(environ)["hardware"]
    assert found["devices"] == [] and found["problems"] == []
    assert found["engine"]["variant"] and "CPU" in found["engine"]["backends"]


def test_a_driver_that_crashes_costs_the_graphics_and_nothing_else(guest: Guest) -> None:
    driver = crashing_driver(guest)
    found = guest.probe(driver)["hardware"]
    assert found["devices"] == [] and found["engine"]["variant"] and found["engine"]["backends"] == ["CPU"]
    assert ["crashed with signal 6" in problem for problem in found["problems"]] == [True]
    engine = Engine(guest, "beside", load(guest, gpu=False), driver)
    assert engine.answer("hello")
    engine.close()


def test_layers_on_vulkan_give_the_processors_text(guest: Guest) -> None:
    processor = Engine(guest, "processor", load(guest, gpu=False), ON)
    expected = [processor.answer(question) for question in QUESTIONS]
    assert "libggml-vulkan" not in processor.maps() and "libvulkan" not in processor.maps()
    processor.close()
    assert all(expected) and len(set(expected)) == len(QUESTIONS)

    graphics = Engine(guest, "graphics", load(guest, gpu=True), ON)
    assert [graphics.answer(question) for question in QUESTIONS] == expected
    assert "libggml-vulkan" in graphics.maps() and "libvulkan_lvp" in graphics.maps()
    graphics.close()
    log = graphics.log.read_text()
    assert "offloaded 5/5 layers to GPU" in log and "using device Vulkan0 (llvmpipe" in log
    assert sum(path.stat().st_size for path in guest.shaders.rglob("*.db")) > 100_000, "compiled shaders are kept"


def test_a_device_that_is_gone_is_told(guest: Guest) -> None:
    engine = Engine(guest, "gone", load(guest, gpu=True, device="Vulkan3"), ON)
    assert isinstance(engine.loaded, LoadFailed)
    assert engine.loaded.message == "the graphics device Vulkan3 is gone" and "iamine probe" in engine.loaded.hint
    engine.close()


def test_an_agent_on_vulkan_serves_a_pool(guest: Guest, tmp_path: Path) -> None:
    house = House(data_dir=tmp_path / "house", port=free_port(), workers=0)
    try:
        house.start()
        arguments = ("--pool", house.url, "--data-dir", guest.path("worker"), "--models-dir", guest.path("models"))
        environ = {**ON, "IAMINE_SOFTWARE_GPU": "1"}
        with (guest.folder / "worker.out").open("wb") as out:
            command = ("-m", "iamine", "worker", "--model", "halved", "--plain", *arguments)
            worker = guest.start(*command, environ=environ, stdout=out, stderr=out)
        client = house.client()
        wait_for(lambda: "halved" in [model.id for model in client.models.list()], 180, "the worker's model")
        said = wait_for(lambda: asked(client, "count from 3 to 12"), LIMIT_S, "an answer")
        assert said == "3 4 5 6 7 8 9 10 11 12"
        assert "libvulkan_lvp" in maps_below(worker.pid)
    finally:
        guest.end()
        house.end()


def asked(client: openai.OpenAI, text: str) -> str | None:
    """The answer; None while the pool finds the worker too slow: lavapipe compiles shaders in the middle of a first answer."""
    try:
        answer = client.chat.completions.create(model="halved", temperature=0, messages=[{"role": "user", "content": text}])
    except openai.InternalServerError:
        return None
    return answer.choices[0].message.content


def load(guest: Guest, *, gpu: bool, device: str = "Vulkan0") -> Load:
    layers, devices = (999, (device,)) if gpu else (0, ())
    return Load(path=guest.path("models/halved.gguf"), file_sha256="", threads=1, slots=2, gpu_layers=layers, devices=devices)


def crashing_driver(guest: Guest) -> dict[str, str]:
    """A Vulkan driver that ends the process which opens it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "install gcc: a broken driver is compiled"
    source = "#include <stdlib.h>\n__attribute__((constructor)) static void fail(void) { abort(); }\n"
    library = guest.folder / "libbroken.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=source, text=True, check=True)
    about = {"library_path": guest.path(library.name), "api_version": "1.3.0"}
    (guest.folder / "broken.json").write_text(json.dumps({"file_format_version": "1.0.1", "ICD": about}))
    return {"VK_DRIVER_FILES": guest.path("broken.json"), "GGML_VK_VISIBLE_DEVICES": "0"}


def maps_below(pid: int) -> str:
    """The libraries of a process and of all below it."""
    found = Path(f"/proc/{pid}/maps").read_text()
    for child in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split():
        found += maps_below(int(child))
    return found
