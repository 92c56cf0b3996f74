"""llama.cpp's devices by ctypes: what one says of itself, and those to use. Imports no llama_cpp: the probe uses it, too.

The struct is ggml_backend_dev_props of llama.cpp 0c1e57098; it grows between versions, so spare bytes follow it.
"""

import ctypes as c
from collections.abc import Sequence
from typing import Any

GPU, INTEGRATED = 1, 2  # enum ggml_backend_dev_type


class Caps(c.Structure):
    """ggml_backend_dev_caps."""

    _fields_ = [(name, c.c_bool) for name in ("async_", "host_buffer", "buffer_from_host_ptr", "events", "mmap_support")]


class Props(c.Structure):
    """ggml_backend_dev_props."""

    _fields_ = [
        ("name", c.c_char_p),
        ("description", c.c_char_p),
        ("memory_free", c.c_size_t),
        ("memory_total", c.c_size_t),
        ("type", c.c_int),
        ("device_id", c.c_char_p),
        ("caps", Caps),
        ("_spare", c.c_byte * 64),
    ]


def devices_without(library: Any, places: Sequence[str]) -> "c.Array[c.c_void_p]":
    """The graphics devices but those at these PCI addresses, ended by NULL, as llama_model_params.devices wants them.

    As llama.cpp itself does, it takes those that share the system's memory only where there is no other.
    """
    library.ggml_backend_dev_count.restype = c.c_size_t
    library.ggml_backend_dev_get.restype = c.c_void_p
    library.ggml_backend_dev_get.argtypes = [c.c_size_t]
    library.ggml_backend_dev_get_props.restype = None
    library.ggml_backend_dev_get_props.argtypes = [c.c_void_p, c.POINTER(Props)]
    found: dict[int, list[int]] = {GPU: [], INTEGRATED: []}
    for number in range(library.ggml_backend_dev_count()):
        device, props = library.ggml_backend_dev_get(number), Props()
        library.ggml_backend_dev_get_props(device, c.byref(props))
        if props.type in found and (props.device_id or b"").decode(errors="replace").lower() not in places:
            found[props.type].append(device)
    chosen = found[GPU] or found[INTEGRATED][:1]
    return (c.c_void_p * (len(chosen) + 1))(*chosen, None)
