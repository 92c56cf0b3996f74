"""llama.cpp's own list of devices, by ctypes and without importing llama_cpp. Called in a child process.

The struct is ggml_backend_dev_props of llama.cpp 0c1e57098; it grows between versions, so spare bytes follow it.
"""

import ctypes as c
from pathlib import Path
from typing import Any

from appliance.agent import backends
from appliance.agent.probe.answers import Engine, EngineDevice

_KINDS = {0: "CPU", 1: "GPU", 2: "IGPU", 3: "ACCEL", 4: "META"}


class _Caps(c.Structure):
    _fields_ = [(name, c.c_bool) for name in ("async_", "host_buffer", "buffer_from_host_ptr", "events", "mmap_support")]


class _Props(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("description", c.c_char_p),
        ("memory_free", c.c_size_t),
        ("memory_total", c.c_size_t),
        ("type", c.c_int),
        ("device_id", c.c_char_p),
        ("caps", _Caps),
        ("_spare", c.c_byte * 64),
    ]


def ask(folder: Path | None, *, gpu: bool = True) -> Engine:
    """The devices of the library in `folder`, or why there are none; without `gpu` no graphics driver is opened."""
    if folder is None:
        return Engine(problem="llama-cpp-python is not installed")
    try:
        library: Any = c.CDLL(str(next(iter(sorted(folder.glob("libllama.*"))), folder / "libllama.so")))
        return _listed(library, folder, gpu=gpu)
    except (OSError, AttributeError) as error:
        return Engine(folder=str(folder), problem=str(error))


def _listed(library: Any, folder: Path, *, gpu: bool) -> Engine:
    library.ggml_backend_dev_count.restype = c.c_size_t
    library.ggml_backend_dev_get.restype = c.c_void_p
    library.ggml_backend_dev_get.argtypes = [c.c_size_t]
    library.ggml_backend_dev_get_props.restype = None
    library.ggml_backend_dev_get_props.argtypes = [c.c_void_p, c.POINTER(_Props)]
    names = backends.load(library, folder, gpu=gpu)
    return Engine(
        folder=str(folder),
        devices=tuple(_device(library, number) for number in range(library.ggml_backend_dev_count())),
        backends=names,
        variant=backends.variant(),
        problem="" if names else "none of its backends loads on this processor",
    )


def _device(library: Any, number: int) -> EngineDevice:
    props = _Props()
    library.ggml_backend_dev_get_props(library.ggml_backend_dev_get(number), c.byref(props))
    return EngineDevice(
        name=backends.text(props.name),
        description=backends.text(props.description),
        kind=_KINDS.get(props.type, str(props.type)),
        memory_bytes=props.memory_total,
        memory_free_bytes=props.memory_free,
        address=backends.text(props.device_id).lower(),
    )
