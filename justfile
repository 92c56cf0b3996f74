# Every task of this project; `just` lists them, `./run RECIPE` runs one on a bare machine.

set positional-arguments
export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

# What there is to do
default:
    @just --list --unsorted

# Install into .venv what the pool and a worker need
setup:
    @./run setup

# A pool and a worker on this machine
up *arguments:
    @./run up "$@"

# Style, types, layers, unit tests and simulation: under a minute
check:
    @.ci/side-by-side \
        "ruff check ." \
        "ruff format --check ." \
        "mypy" \
        "lint-imports" \
        "pytest -q tests/unit tests/sim"

# Everything that needs no special hardware
test: check
    pytest -q --durations=15 tests/integration tests/acceptance

# Correct what can be corrected by itself
fmt:
    ruff check --fix .
    ruff format .

# Make the locks anew from requirements/*.in (mote.txt: see its top)
lock:
    for name in runtime test build; do uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.10 --no-emit-index-url --no-emit-find-links --no-header "requirements/$name.in" --output-file "requirements/$name.txt"; done

# Train and export the micro-model again
mote *arguments:
    mote/retrain "$@"

# Measure: runs bench/NAME.py
bench name *arguments:
    name=$1; shift; python "bench/$name.py" "$@"

# The tests that try to break it, again and again (default: 10 rounds)
torture rounds="10":
    for round in $(seq "$1"); do echo "round $round"; pytest -q -x -p no:cacheprovider tests/sim tests/acceptance tests/integration/store tests/integration/up || exit 1; done
