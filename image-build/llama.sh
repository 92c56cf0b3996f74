#!/bin/sh
# In the tree of tools (packages/engine.txt): llama.cpp's libraries, with a CPU variant for every kind of processor and Vulkan, of
# which the best is chosen at run time; and the Python binding as a wheel without libraries.
# usage: llama.sh SDIST TOOLS WORK OUT JOBS    fills OUT/lib and OUT/wheel; WORK is an empty folder on a disk
# WORK is always at the same path, and -ffile-prefix-map hides it: paths in assertions must not differ between builds.
set -eu
sdist=$1 tools=$2 work=$3 out=$4 jobs=$5
export TMPDIR=$work/tmp # the compiler's own files: /tmp is memory
mkdir -p "$TMPDIR" "$out/lib" "$out/wheel"
cd "$work"
tar -xf "$sdist" --strip-components=1 --one-top-level=tree
llama=$work/tree/vendor/llama.cpp
# sapphirerapids (AMX) is for servers and was miscompiled by older compilers; the other variants left out are no faster than a
# neighbour. x64 is below the floor of numpy, but lets the probe tell what processor it is.
dropped='sandybridge|piledriver|skylakex|cannonlake|cascadelake|cooperlake|sapphirerapids'
sed -i -E "/ggml_add_cpu_backend_variant\(($dropped) /d" "$llama/ggml/src/CMakeLists.txt"

map="-ffile-prefix-map=$work=."
cmake -S "$llama" -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DLLAMA_CURL=OFF \
    -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
    -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DGGML_CCACHE=OFF -DGGML_NATIVE=OFF -DGGML_LLAMAFILE=OFF \
    -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DGGML_VULKAN=ON \
    -DCMAKE_PLATFORM_NO_VERSIONED_SONAME=ON -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON '-DCMAKE_INSTALL_RPATH=$ORIGIN' \
    "-DCMAKE_C_FLAGS=$map" "-DCMAKE_CXX_FLAGS=$map"
ninja -C build -j "$jobs" llama ggml ggml-vulkan
cp build/bin/*.so "$out/lib/"
strip --strip-unneeded "$out"/lib/*.so
cp "$llama/LICENSE" "$out/lib/LICENSE.llama.cpp"

python3 -m venv pip
pip/bin/python -m pip install -q --no-index --no-deps --find-links "$tools" scikit-build-core packaging pathspec
CMAKE_ARGS="-DLLAMA_BUILD=OFF -DLLAVA_BUILD=OFF" pip/bin/python -m pip wheel -q --no-index --no-deps --no-build-isolation \
    -w "$out/wheel" ./tree
