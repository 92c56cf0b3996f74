#!/bin/sh
# In the builder tree: llama.cpp's wheel with the CPU variants that an image carries; the best is chosen at run time.
# usage: llama.sh /work/src/llama_cpp_python-*.tar.gz /work/tools /work/out JOBS
# The folder is always the same, and -ffile-prefix-map hides it: paths in assertions must not differ between builds.
set -eu
source=$1 tools=$2 out=$3 jobs=$4
mkdir -p /tmp/llama
cd /tmp/llama
python3 -m venv tools
tools/bin/python -m pip install -q --no-index --find-links "$tools" scikit-build-core packaging pathspec
tar -xf "$source" --strip-components=1 --one-top-level=tree
# sapphirerapids (AMX) is for servers and was miscompiled by older compilers; the others left out are no faster than a neighbour
sed -i -E '/ggml_add_cpu_backend_variant\((sandybridge|piledriver|skylakex|cannonlake|cascadelake|cooperlake|sapphirerapids) /d' \
    tree/vendor/llama.cpp/ggml/src/CMakeLists.txt
printf 'set(LLAMA_BUILD_COMMON OFF)\n' >hook.cmake
map="-ffile-prefix-map=/tmp/llama=."
export CMAKE_ARGS="-DLLAVA_BUILD=OFF -DGGML_NATIVE=OFF -DGGML_LLAMAFILE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON \
 -DCMAKE_PROJECT_llama.cpp_INCLUDE=/tmp/llama/hook.cmake -DCMAKE_PLATFORM_NO_VERSIONED_SONAME=ON -DGGML_CCACHE=OFF \
 -DCMAKE_C_FLAGS=$map -DCMAKE_CXX_FLAGS=$map \
 -DCMAKE_INSTALL_BINDIR=llama_cpp/lib -DCMAKE_INSTALL_LIBDIR=llama_cpp/lib -DCMAKE_INSTALL_INCLUDEDIR=llama_cpp/include"
CMAKE_BUILD_PARALLEL_LEVEL=$jobs tools/bin/python -m pip wheel -v --no-index --no-deps --no-build-isolation \
    -C build-dir=/tmp/llama/build -w "$out" ./tree
