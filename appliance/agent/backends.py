"""llama.cpp's libraries: where they lie, and which of their backends are loaded. Probe and engine load alike, by this file.

Three shapes are met: a wheel compiled for this machine (its backends are built in), a wheel with a file for each backend and
CPU variant in `llama_cpp/lib`, and such a folder named by LLAMA_CPP_LIB_PATH. Loading is explicit, because llama.cpp's own
search would also look into the working directory. Names are those of llama.cpp 0c1e57098.
"""

import ctypes as c
import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

VARIABLE = "LLAMA_CPP_LIB_PATH"
_CPU = "libggml-cpu"


def library_folder() -> Path | None:
    """Where llama.cpp's libraries lie: LLAMA_CPP_LIB_PATH, else in the package; None when it is not installed."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    spec = find_spec("llama_cpp")
    return Path(spec.origin).parent / "lib" if spec and spec.origin else None


def load(library: Any, folder: Path, *, gpu: bool) -> tuple[str, ...]:
    """Load the backends in `folder`, unless the open `library` has some; the names of all it has then.

    Without `gpu` only the best CPU variant is loaded: no graphics driver is so much as opened, whatever state it is in.
    Raises OSError or AttributeError when the files are not llama.cpp's.
    """
    _declare(library)
    if library.ggml_backend_reg_count() == 0:
        variant = None if gpu else best(folder.glob(f"{_CPU}*.so"))
        if variant is not None:
            library.ggml_backend_load(str(variant).encode())
        else:
            library.ggml_backend_load_all_from_path(str(folder).encode())
    handles = [library.ggml_backend_reg_get(number) for number in range(library.ggml_backend_reg_count())]
    return tuple(text(library.ggml_backend_reg_name(handle)) for handle in handles)


def best(candidates: Iterable[Path]) -> Path | None:
    """The CPU variant with the highest score on this processor, asked as llama.cpp itself does; None when none can run."""
    scores = {path: _score(path) for path in sorted(candidates)}
    most = max(scores.values(), default=0)
    return next((path for path, score in scores.items() if score == most and score > 0), None)


def variant() -> str:
    """Which CPU variant this process has (haswell, zen4, ...), seen in its own map; "" in a build with only one."""
    try:
        mapped = Path("/proc/self/maps").read_text()
    except OSError:
        return ""
    names = {line.rpartition("/")[2] for line in mapped.splitlines() if f"{_CPU}-" in line}
    return next((name.removeprefix(f"{_CPU}-").partition(".")[0] for name in sorted(names)), "")


def text(value: bytes | None) -> str:
    """A C string as text."""
    return (value or b"").decode(errors="replace")


def _score(path: Path) -> int:
    """0 for a variant that this processor cannot run; a build with only one has no score, and is the one."""
    try:
        opened = c.CDLL(str(path))
    except OSError:
        return 0
    try:
        return int(opened.ggml_backend_score())
    except AttributeError:
        return 1
    finally:
        _close(opened)


def _close(opened: Any) -> None:
    """Out of the map again, so that the one in use can be told from the others."""
    close = c.CDLL(None).dlclose
    close.argtypes = [c.c_void_p]
    close(opened._handle)


def _declare(library: Any) -> None:
    """The C functions' types; without them pointers are cut to 32 bits."""
    library.ggml_backend_reg_count.restype = c.c_size_t
    library.ggml_backend_reg_get.restype = c.c_void_p
    library.ggml_backend_reg_get.argtypes = [c.c_size_t]
    library.ggml_backend_reg_name.restype = c.c_char_p
    library.ggml_backend_reg_name.argtypes = [c.c_void_p]
    library.ggml_backend_load.restype = c.c_void_p
    library.ggml_backend_load.argtypes = [c.c_char_p]
    library.ggml_backend_load_all_from_path.restype = None
    library.ggml_backend_load_all_from_path.argtypes = [c.c_char_p]
