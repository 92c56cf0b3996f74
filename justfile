# Every task of this project; `just` lists them, `./run RECIPE` runs one on a bare machine.

set positional-arguments
export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

# Modules that decide and do nothing else: every branch of theirs is taken by their own tests
pure := "--cov=appliance.pulled.verdict --cov=appliance.agent.clock.verdict --cov=iamine.processor --cov=iamine.wire --cov=iamine.identity --cov=iamine.ids --cov=iamine.sealing --cov=iamine.work --cov=pool.routing --cov=pool.openai --cov=pool.toolcalls --cov=appliance.agent.plan --cov=appliance.agent.fit --cov=appliance.agent.throughput --cov=appliance.agent.backoff --cov=appliance.agent.held --cov=appliance.agent.regard --cov=appliance.agent.schedule --cov=appliance.agent.fetch.rungs --cov=appliance.agent.fetch.room --cov=appliance.agent.fetch.rate --cov=appliance.agent.ladder --cov=appliance.agent.hotplug.changes --cov=appliance.firstboot.steps --cov=appliance.firstboot.settings --cov=appliance.firstboot.render --cov=appliance.medium.ids --cov=appliance.medium.grubenv --cov=appliance.slots.verdict --cov=appliance.console.view --cov=appliance.agent.view --cov=appliance.agent.moving --cov=appliance.agent.qr --cov=appliance.agent.layout --cov=appliance.agent.hour --cov=appliance.agent.slots --cov=appliance.agent.board --cov=mote.embedder.gguf --cov=mote.embedder.convert --cov=appliance.agent.verdict --cov=appliance.agent.candidates --cov=iamine.lan.record --cov=appliance.agent.notify"
pure_tests := "tests/unit/appliance/pulled tests/unit/appliance/agent/clock tests/unit/iamine tests/unit/pool/routing tests/unit/pool/openai tests/unit/pool/toolcalls tests/unit/appliance/agent/test_plan.py tests/unit/appliance/agent/test_fit.py tests/unit/appliance/agent/test_throughput.py tests/unit/appliance/agent/test_backoff.py tests/unit/appliance/agent/test_held.py tests/unit/appliance/agent/test_regard.py tests/unit/appliance/agent/test_schedule.py tests/unit/appliance/agent/fetch/test_rungs.py tests/unit/appliance/agent/fetch/test_room.py tests/unit/appliance/agent/fetch/test_rate.py tests/unit/appliance/agent/test_ladder.py tests/unit/appliance/agent/hotplug/test_changes.py tests/unit/appliance/firstboot tests/unit/appliance/medium tests/unit/appliance/slots tests/unit/appliance/console tests/unit/appliance/agent/test_view.py tests/unit/appliance/agent/test_moving.py tests/unit/appliance/agent/test_qr.py tests/unit/appliance/agent/test_layout.py tests/unit/appliance/agent/test_hour.py tests/unit/appliance/agent/test_slots.py tests/unit/appliance/agent/test_board.py tests/unit/mote/embedder tests/unit/appliance/agent/test_verdict.py tests/unit/appliance/agent/test_candidates.py tests/unit/appliance/agent/test_notify.py"

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
        "pytest -q -p no:cacheprovider tests/sim" \
        "pytest -q tests/unit {{replace(" " + pure_tests, " ", " --ignore=")}}"

# Everything that needs no special hardware
test: check
    pytest -q --durations=15 tests/accept tests/integration tests/acceptance tests/chaos tests/fuzz

# Real clients in environments of their own against `iamine up` (NAME...: only these); the first time they are installed
accept *names:
    python tests/accept/accept.py "$@"

# Correct what can be corrected by itself
fmt:
    ruff check --fix .
    ruff format .

# Make the locks anew from requirements/*.in and accept/package.json (mote.txt: see its top)
lock:
    for name in sdks instructor aider; do uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header "requirements/accept/$name.in" --output-file "requirements/accept/$name.txt"; done
    python tests/accept/lock.py
    for name in runtime test build; do uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.10 --no-emit-index-url --no-emit-find-links --no-header "requirements/$name.in" --output-file "requirements/$name.txt"; done

# Train and export the micro-model again
mote *arguments:
    mote/retrain "$@"

# The wheel and the source archive of iamine-ai, the same bytes everywhere, into dist/ with SHA256SUMS of all that lies there
dist:
    rm -f dist/iamine_ai-*
    umask 022 && SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) python -m hatchling build -d dist -t wheel -t sdist
    cd dist && sha256sum -- iamine* | tee SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS

# Measure: runs bench/NAME.py; without a name it tells which there are, `all` makes docs/performance.md's figures again
bench name="list" *arguments:
    name=$1; shift; python "bench/$name.py" "$@"

# Seeded worlds of dying, lying and resting workers; prints the seed of one that breaks a promise
sim seeds="2000" *arguments:
    seeds=$1; shift; python tests/sim/many.py "$seeds" "$@"

# Put faults into the pool on purpose: each must be found
mutate *names:
    python tests/sim/mutants.py "$@"

# Try to break it for hours: seeds, mutants, streams under kills, then whole rounds of the tests
torture rounds="10" streams="1000" seeds="5000":
    just sim "$3"
    just mutate
    IAMINE_CHAOS_STREAMS="$2" IAMINE_PAUSE_ROUNDS=10 pytest -q -x -s -p no:cacheprovider tests/chaos
    IAMINE_FETCH_KILLS=50 pytest -q -s -p no:cacheprovider tests/integration/fetch/test_kills.py
    IAMINE_SOAK=100000 IAMINE_SOAK_CYCLES=1000 pytest -q -s -p no:cacheprovider tests/acceptance/test_soak.py
    for round in $(seq "$1"); do echo "round $round"; IAMINE_FAIR_SEEDS=12 pytest -q -x -p no:cacheprovider tests/sim tests/acceptance tests/chaos tests/integration/store tests/integration/up || exit 1; done

# The embedder: all-MiniLM-L6-v2 as GGUF, from the published weights (--out DIR); `iamine fetch all-minilm-l6-v2 --from DIR` takes it
embedder *arguments:
    python -m mote.embedder.build "$@"

# llama.cpp for any x86-64 Linux, CPU variants and Vulkan: dist/engine (--out DIR); Debian 12 or 13 gives the same bytes
engine-libs *arguments:
    PYTHONPATH=image-build:. python -m imagebuild.libs "$@"

# A worker on Vulkan without a graphics card: the image's engine and agent with Mesa's driver for processors
vulkan-test *arguments:
    PYTHONPATH=image-build:. python -m imagebuild.vulkan "$@"

# A worker by its units under a real systemd, set up as docs/server.md says (root; a Debian 13 guest in a container)
guest-test *arguments:
    IAMINE_LLAMA_WHEEL=$(./run wheel | tail -n 1) pytest -q -s -p no:cacheprovider tests/guest "$@"

# Wrong frames, requests and files for so many seconds each, with seeds of their own (NAME: api, door, http, link, files)
fuzz name="" seconds="120":
    python tests/fuzz/fuzz.py "$1" "$2"

# The stick: dist/iamine_VERSION_amd64.img (--pool URL --pool-key FINGERPRINT --no-firmware --quick)
image *arguments:
    PYTHONPATH=image-build:. python -m imagebuild "$@"

# Build the image twice, with nothing kept but what was downloaded, and compare
image-repro *arguments:
    PYTHONPATH=image-build:. python -m imagebuild.repro "$@"

# The stick in QEMU, without KVM: BIOS, UEFI, Secure Boot, a second start, a broken slot, two sticks
image-test *arguments:
    PYTHONPATH=image-build:. python -m imagebuild.tested "$@"

# The plug pulled at random moments of first boots, a network that comes late (--rounds 20 --seed N; after `just image-test`)
image-torture *arguments:
    PYTHONPATH=image-build:.:tests/image:tests/acceptance python tests/image/torture.py "$@"
