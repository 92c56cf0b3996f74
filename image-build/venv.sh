#!/bin/sh
# In the builder tree: the image's private environment, at the path where it will be used, from local files only.
# usage: venv.sh /usr/lib/iamine/venv
set -eu
venv=$1
python3 -m venv /tmp/tools
/tmp/tools/bin/python -m pip install -q --no-index --no-deps --find-links /work/fetched/tools \
    hatchling editables packaging pathspec pluggy trove-classifiers
mkdir /tmp/source
cp -r /work/source/iamine /work/source/pool /work/source/appliance /work/source/pyproject.toml /work/source/README.md /tmp/source/
rm -rf /tmp/source/appliance/rootfs
find /tmp/source -name __pycache__ -prune -exec rm -rf {} +
find /tmp/source -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
(cd /tmp/source && /tmp/tools/bin/python -m pip wheel -q --no-index --no-deps --no-build-isolation -w /tmp/wheel .)

python3 -m venv --without-pip --symlinks "$venv"
/tmp/tools/bin/python -m pip --python "$venv/bin/python" install --no-index --no-deps --no-compile --require-hashes \
    --find-links /work/fetched/wheels -r /work/fetched/wheels.txt
/tmp/tools/bin/python -m pip --python "$venv/bin/python" install --no-index --no-deps --no-compile /work/llama/wheel/*.whl /tmp/wheel/*.whl

# Not for a worker: the packages' own tests, C headers, type stubs; llama_cpp's server needs more than is installed
cd "$venv"/lib/python3*/site-packages
cp -r /work/llama/lib llama_cpp/ # where the binding looks by itself
find . -depth -type d \( -name tests -o -name testing -o -name _testing \) -path './numpy/*' ! -path './numpy/testing*' -exec rm -rf {} +
find . -name '*.pyi' -delete
rm -rf llama_cpp/server numpy/_core/include numpy/f2py
find . -name '*.a' -delete
find . -path '*.dist-info/RECORD' -delete
# Compiled once, here; valid whatever the files' dates say
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash .
