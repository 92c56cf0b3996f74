"""llama.cpp's libraries: found, loaded once, and without graphics where none is wanted. The files are made by the compiler."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance.agent import backends

LLAMA = """
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
static const char *names[8];
static size_t count;
size_t ggml_backend_reg_count(void) { return count; }
void *ggml_backend_reg_get(size_t number) { return (void *)(number + 0x100000001); }
const char *ggml_backend_reg_name(void *reg) { return names[(size_t)reg - 0x100000001]; }
void *ggml_backend_load(const char *path) {
    void *opened = dlopen(path, RTLD_NOW);
    names[count++] = strdup(((const char *(*)(void))dlsym(opened, "name"))());
    return opened;
}
void ggml_backend_load_all_from_path(const char *folder) { names[count++] = "all"; (void)folder; }
"""
VARIANT = 'const char *name(void) {{ return "{name}"; }}\n{score}'
COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler here to make the libraries with")


def compiled(path: Path, source: str) -> Path:
    assert COMPILER is not None
    subprocess.run([COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", path], input=source, text=True, check=True)
    return path


def variant(folder: Path, name: str, score: int | None) -> Path:
    function = "" if score is None else f"int ggml_backend_score(void) {{ return {score}; }}"
    return compiled(folder / f"libggml-{name}.so", VARIANT.format(name=name, score=function))


def opened(folder: Path) -> Any:
    return ctypes.CDLL(str(compiled(folder / "libllama.so", LLAMA)))


def test_without_graphics_the_best_variant_alone_is_loaded(tmp_path: Path) -> None:
    for name, score in (("cpu-sse42", 1), ("cpu-haswell", 7), ("cpu-zen4", 0)):
        variant(tmp_path, name, score)
    (tmp_path / "libggml-cpu-torn.so").write_bytes(b"no library")
    library = opened(tmp_path)
    assert backends.load(library, tmp_path, gpu=False) == ("cpu-haswell",)
    assert backends.load(library, tmp_path, gpu=True) == ("cpu-haswell",)  # what is loaded stays
    assert backends.variant() == "haswell"  # the others are out of the map again


def test_with_graphics_all_are_loaded_by_llama_cpp_itself(tmp_path: Path) -> None:
    variant(tmp_path, "cpu-sse42", 1)
    assert backends.load(opened(tmp_path), tmp_path, gpu=True) == ("all",)


def test_a_build_with_one_cpu_backend_has_no_scores(tmp_path: Path) -> None:
    only = variant(tmp_path, "cpu", None)
    assert backends.best([only]) == only


def test_where_no_variant_can_run_llama_cpp_is_left_to_look(tmp_path: Path) -> None:
    assert backends.best([variant(tmp_path, "cpu-zen4", 0)]) is None
    assert backends.load(opened(tmp_path), tmp_path, gpu=False) == ("all",)


def test_the_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(backends.VARIABLE, str(tmp_path))
    assert backends.library_folder() == tmp_path
    monkeypatch.delenv(backends.VARIABLE)
    folder = backends.library_folder()
    assert folder is not None and list(folder.glob("libllama.*"))
