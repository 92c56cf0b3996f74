# Every task of this project; `just` lists them, `./run RECIPE` runs one on a bare machine.

set positional-arguments
export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

# Modules that decide and do nothing else: every branch of theirs is taken by their own tests
pure := "--cov=iamine.wire --cov=iamine.identity --cov=iamine.ids --cov=pool.routing --cov=pool.openai --cov=pool.toolcalls --cov=appliance.agent.plan --cov=appliance.agent.fit --cov=appliance.agent.throughput --cov=appliance.agent.backoff --cov=appliance.agent.processor --cov=appliance.firstboot.steps --cov=appliance.firstboot.settings --cov=appliance.firstboot.render --cov=appliance.medium.ids --cov=appliance.medium.grubenv --cov=appliance.slots.verdict --cov=appliance.console.view"
pure_tests := "tests/unit/iamine tests/unit/pool/routing tests/unit/pool/openai tests/unit/pool/toolcalls tests/unit/appliance/agent/test_plan.py tests/unit/appliance/agent/test_fit.py tests/unit/appliance/agent/test_throughput.py tests/unit/appliance/agent/test_backoff.py tests/unit/appliance/agent/test_processor.py tests/unit/appliance/firstboot tests/unit/appliance/medium tests/unit/appliance/slots tests/unit/appliance/console"

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
        "mypy --python-version 3.10 --disable-error-code no-any-return --no-warn-unused-ignores --ignore-missing-imports -p iamine -p appliance" \
        "lint-imports" \
        "pytest -q {{pure_tests}} {{pure}} --cov-branch --cov-fail-under=100 --cov-report=term-missing" \
        "pytest -q tests/unit tests/sim {{replace(" " + pure_tests, " ", " --ignore=")}}"

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

# The stick: dist/iamine_VERSION_amd64.img (--pool URL --pool-key FINGERPRINT --no-firmware --quick)
image *arguments:
    PYTHONPATH=image-build:. python -m imagebuild "$@"

# Build the image twice, with nothing kept but what was downloaded, and compare
image-repro *arguments:
    PYTHONPATH=image-build:. python -m imagebuild.repro "$@"

# The stick in QEMU, without KVM: BIOS, UEFI, Secure Boot, a second start, a broken slot, two sticks
image-test *arguments:
    PYTHONPATH=image-build:. python -m imagebuild.tested "$@"

# The tests that try to break it, again and again (default: 10 rounds)
torture rounds="10":
    for round in $(seq "$1"); do echo "round $round"; pytest -q -x -p no:cacheprovider tests/sim tests/acceptance tests/integration/store tests/integration/up || exit 1; done
