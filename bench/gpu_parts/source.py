"""llama.cpp's source as it travels to a machine without a network: what a CUDA build needs of the sdist, 5 of 77 MB.

.venv/bin/python bench/gpu_parts/source.py llama_cpp_python-*.tar.gz OUT.tar.xz
"""

import sys
import tarfile
from collections.abc import Iterator

VENDOR = "vendor/llama.cpp/"
KEPT = ("CMakeLists.txt", "LICENSE", "cmake", "common", "ggml", "include", "licenses", "scripts", "src", "tools", "vendor")
BACKENDS = ("cann", "et", "hexagon", "hip", "metal", "musa", "opencl", "openvino", "rpc", "sycl", "virtgpu", "webgpu", "zdnn")
UI = ("tools/ui/src/", "tools/ui/static/", "tools/ui/tests/")
LEFT_OUT = (*(f"ggml/src/ggml-{name}/" for name in (*BACKENDS, "zendnn")), *UI)
LEFT_OUT_KINDS = (".png", ".wav", ".mp3", ".gguf", ".html", ".svg", ".jpeg", ".pdf", ".lock")


def wanted(path: str) -> bool:
    """Whether a file of llama.cpp's tree is needed to build its libraries, its server and its benches for CUDA or Vulkan."""
    if path.split("/", 1)[0] not in KEPT or path.startswith(LEFT_OUT):
        return False
    return not path.endswith(LEFT_OUT_KINDS)


def members(sdist: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The kept files with their names in the new archive."""
    for member in sdist:
        _, found, path = member.name.partition(VENDOR)
        if found and member.isfile() and wanted(path):
            yield member, f"llama.cpp/{path}"


def main(arguments: list[str]) -> None:
    with tarfile.open(arguments[0]) as sdist, tarfile.open(arguments[1], "w:xz") as out:
        for member, name in members(sdist):
            member.name = name
            out.addfile(member, sdist.extractfile(member))


if __name__ == "__main__":
    main(sys.argv[1:])
