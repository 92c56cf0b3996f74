"""llama.cpp's own list of devices, by ctypes and without importing llama_cpp. Called in a child process."""

import ctypes as c
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from appliance.agent.engine.devices import Props
from appliance.agent.probe.answers import Engine, EngineDevice

_KINDS = {0: "CPU", 1: "GPU", 2: "IGPU", 3: "ACCEL", 4: "META"}
_VARIANT = "libggml-cpu-"


def library_folder() -> Path | None:
    """Where llama.cpp's libraries lie: LLAMA_CPP_LIB_PATH, else in the package; None when it is not installed."""
    named = os.environ.get("LLAMA_CPP_LIB_PATH")
    if named:
        return Path(named)
    spec = find_spec("llama_cpp")
    return Path(spec.origin).parent / "lib" if spec and spec.origin else None


def ask(folder: Path | None) -> Engine:
    """The devices of the library in `folder`, or why there are none."""
    if folder is None:
        return Engine(problem="llama-cpp-python is not installed")
    try:
        library: Any = c.CDLL(str(next(iter(sorted(folder.glob("libllama.*"))), folder / "libllama.so")))
        return _listed(library, folder)
    except (OSError, AttributeError) as error:
        return Engine(folder=str(folder), problem=str(error))


def _listed(library: Any, folder: Path) -> Engine:
    library.ggml_backend_reg_count.restype = c.c_size_t
    library.ggml_backend_reg_get.restype = c.c_void_p
    library.ggml_backend_reg_get.argtypes = [c.c_size_t]
    library.ggml_backend_reg_name.restype = c.c_char_p
    library.ggml_backend_reg_name.argtypes = [c.c_void_p]
    library.ggml_backend_dev_count.restype = c.c_size_t
    library.ggml_backend_dev_get.restype = c.c_void_p
    library.ggml_backend_dev_get.argtypes = [c.c_size_t]
    library.ggml_backend_dev_get_props.restype = None
    library.ggml_backend_dev_get_props.argtypes = [c.c_void_p, c.POINTER(Props)]
    library.ggml_backend_load_all_from_path.restype = None
    library.ggml_backend_load_all_from_path.argtypes = [c.c_char_p]
    if library.ggml_backend_reg_count() == 0:
        library.ggml_backend_load_all_from_path(str(folder).encode())
    names = [library.ggml_backend_reg_name(library.ggml_backend_reg_get(n)) for n in range(library.ggml_backend_reg_count())]
    return Engine(
        folder=str(folder),
        devices=tuple(_device(library, number) for number in range(library.ggml_backend_dev_count())),
        backends=tuple(_text(name) for name in names),
        variant=_variant(),
        problem="" if names else "none of its backends loads on this processor",
    )


def _device(library: Any, number: int) -> EngineDevice:
    props = Props()
    library.ggml_backend_dev_get_props(library.ggml_backend_dev_get(number), c.byref(props))
    return EngineDevice(
        name=_text(props.name),
        description=_text(props.description),
        kind=_KINDS.get(props.type, str(props.type)),
        memory_bytes=props.memory_total,
        memory_free_bytes=props.memory_free,
        address=_text(props.device_id).lower(),
    )


def _variant() -> str:
    """Which CPU variant was loaded (haswell, zen4, ...), seen in this process's own map; "" in a build with only one."""
    try:
        mapped = Path("/proc/self/maps").read_text()
    except OSError:
        return ""
    names = {line.rpartition("/")[2] for line in mapped.splitlines() if _VARIANT in line}
    return next((name.removeprefix(_VARIANT).partition(".")[0] for name in sorted(names)), "")


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
