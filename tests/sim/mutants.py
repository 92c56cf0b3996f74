"""Faults that are put into the pool on purpose: each must be found by the simulation (or by the proof that it names).

`python tests/sim/mutants.py [NAME...]` tries them all, or those whose names contain one of the words, and ends with 1 if one
survives or no longer fits the source. A mutant is one small edit; the tree it is made in is a copy.
"""
# ruff: noqa: E501 (a table: one mutant, one line)

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SIMULATION = ("tests/sim/many.py", "100", "--stop-early", "--processes", "1")
DISPATCH = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/unit/pool/dispatch")
LIMIT_S = 240.0
NO_PROGRAM = ("NameError", "SyntaxError", "ImportError", "AttributeError")  # that proves nothing
CROWD = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/sim/test_demand.py")
LACKS = (
    "-m",
    "pytest",
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "tests/unit/pool/routing/test_lacks.py",
    "tests/unit/pool/routing/test_demand.py",
)
DEMAND, LACKS_FILE = "pool/routing/demand.py", "pool/routing/lacks.py"
SCHEDULER, BOARD, LATENESS = "pool/routing/scheduler.py", "pool/routing/board.py", "pool/routing/lateness.py"
ROSTER = "pool/hub/roster.py"
HUB, JOURNAL, RECORD = "pool/hub/hub.py", "pool/hub/journal.py", "pool/dispatch/record.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """In this file, these words (which stand there once) become others."""

    file: str
    old: str
    new: str

    def fits(self, root: Path) -> bool:
        path = root / self.file
        return path.is_file() and path.read_text().count(self.old) == 1

    def make(self, root: Path) -> None:
        path = root / self.file
        path.write_text(path.read_text().replace(self.old, self.new))


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault by name, and what finds it."""

    name: str
    edit: Edit
    proof: tuple[str, ...] = SIMULATION


MUTANTS = (
    Mutant("frames of an older epoch count", Edit(SCHEDULER, " or record.epoch != epoch:", ":")),
    Mutant("anybody's frames count", Edit(SCHEDULER, " or record.worker != worker or", " or")),
    Mutant("any index counts", Edit(SCHEDULER, "if index != record.tokens:", "if False:")),
    Mutant("more tokens than asked for count", Edit(SCHEDULER, "if record.tokens + count > record.order.sampling.max_tokens:", "if False:")),
    Mutant("tokens before the start count", Edit(SCHEDULER, 'if not record.begun:\n            return Breach(f"tokens', 'if False:\n            return Breach(f"tokens')),
    Mutant("an end after any number of tokens counts", Edit(SCHEDULER, "if not record.begun or tokens != record.tokens:", "if not record.begun:")),
    Mutant("an end counts twice", Edit(SCHEDULER, "return STALE, []\n        if not record.begun or tokens", "return COUNTS, []\n        if not record.begun or tokens")),
    Mutant("a token outside the vocabulary counts", Edit(HUB, "min(step.ids) >= 0 and max(step.ids) < offer.vocabulary_tokens", "True")),
    Mutant("a job goes on without its prefix", Edit(JOURNAL, "prefix=tuple(self.ids),", "prefix=(),")),
    Mutant("a job goes on at another file", Edit(BOARD, "if not record.tokens:\n            record.file_sha256", "if True:\n            record.file_sha256")),
    Mutant("whoever began a job gets all the credit", Edit(JOURNAL, "if not self.givers or self.givers[-1][0] != worker:", "if not self.givers:")),
    Mutant("a job is charged twice", Edit(RECORD, "elif self._end is None:", "else:"), DISPATCH),
    Mutant("a stalled job waits for ever", Edit(LATENESS, "return now - record.progressed_at > self._limit_s(record)", "return False")),
    Mutant("tokens are no progress", Edit(SCHEDULER, "record.progressed_at = now\n        record.losses.clear()", "record.losses.clear()")),
    Mutant("reading a prompt is no progress", Edit(HUB, "self._scheduler.on_progress(worker, message.job, message.epoch, now, message.done_tokens)", "self._scheduler.on_progress(worker, message.job, -1, now, message.done_tokens)")),
    Mutant("the same progress again is progress", Edit(SCHEDULER, "if done_tokens > record.read_tokens:", "if True:")),
    Mutant("a step without tokens is progress", Edit(SCHEDULER, "if not count:\n            return COUNTS", "if not count:\n            record.progressed_at = now")),
    Mutant("an answer may have any length of text", Edit(HUB, "if not journal.takes(step.text, len(step.ids)):", "if False:")),
    Mutant("losses are counted in spite of progress", Edit(SCHEDULER, "record.losses.clear()", "pass")),
    Mutant("lost links are counted in spite of progress", Edit(SCHEDULER, "record.links_lost = 0", "pass")),
    Mutant("a machine that goes is the job's fault", Edit(SCHEDULER, "if record.links_lost >= self.patience.fruitless_links:", "if record.links_lost >= 2:")),
    Mutant("a silent worker is kept", Edit(LATENESS, "if silent_s <= limit_s:", "if True:")),
    Mutant("a deadline never comes", Edit(SCHEDULER, "if now <= record.deadline_s:", "if True:")),
    Mutant("a worker at rest gets jobs", Edit(SCHEDULER, "state.ready = ready", "pass")),
    Mutant("a draining worker gets jobs", Edit(SCHEDULER, "state.draining = True", "pass")),
    Mutant("giving back counts as failing", Edit(SCHEDULER, 'failed.code in ("engine_lost", "prompt_mismatch")', "True")),
    Mutant("a zombie is taken for a criminal", Edit(HUB, "self.tally.zombies += 1", 'raise OutOfOrder("a zombie")')),
    Mutant("a worker is not told that its job is gone", Edit(BOARD, "return [CancelAt(worker=worker, job=record.order.job, epoch=record.epoch)]", "return []")),
    Mutant("a client that leaves frees no slot", Edit(HUB, "self._perform(self._scheduler.on_cancel(job, self.monotonic()))", "pass")),
    Mutant("a slot is never free again", Edit(BOARD, "not self.fleet.release(worker, record.order.job)", "not self.fleet.get(worker)")),
    Mutant("one key may have two sessions", Edit(HUB, "if older is not None:", "if False:")),
    Mutant("an old link's end ends the new one", Edit(ROSTER, "worker is None or self._links.get(worker) is not link", "worker not in self._links")),
    Mutant("everybody is asked at once", Edit(DEMAND, "come = min(1.0, max(lack / others, 1 / workers) * lasting.urge)", "come = 1.0"), CROWD),
    Mutant("who is on the way counts for nothing", Edit(DEMAND, "(index.work_tps if index else 0.0) + coming, self", "(index.work_tps if index else 0.0), self"), CROWD),
    Mutant("what waits is no demand", Edit(DEMAND, "indexes.get(name), waiting.get(name, 0), now)", "indexes.get(name), 0, now)"), LACKS),
    Mutant("the last server may leave", Edit(LACKS_FILE, "found |= {min(usable)} if usable else set()", "pass"), LACKS),
)  # fmt: skip


def tree(folder: Path) -> Path:
    """A copy of the pool among links to everything else."""
    for path in ROOT.iterdir():
        if path.name == "pool":
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif not path.name.startswith(".") or path.name == ".venv":
            (folder / path.name).symlink_to(path)
    return folder


def prove(root: Path, proof: Sequence[str]) -> tuple[bool, str]:
    """Whether the proof holds in this tree, and the last line that says why not."""
    environ = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ran = subprocess.run(
            [sys.executable, *proof], cwd=root, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no end within {LIMIT_S:.0f} s"
    told = [line for line in (ran.stdout + ran.stderr).splitlines() if line.startswith("FAILED")]
    return ran.returncode == 0, (told or (ran.stdout + ran.stderr).splitlines() or [""])[-1 if not told else 0]


def attempt(mutant: Mutant) -> tuple[Mutant, str, str, float]:
    """The mutant, its fate (killed, survived, does not fit, is no program), what was said, and the seconds it took."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="iamine-mutant-") as folder:
        root = tree(Path(folder))
        if not mutant.edit.fits(root):
            return mutant, "does not fit", f"{mutant.edit.file} does not hold once: {mutant.edit.old!r}", 0.0
        mutant.edit.make(root)
        holds, said = prove(root, mutant.proof)
    fate = "survived" if holds else "is no program" if any(word in said for word in NO_PROGRAM) else "killed"
    return mutant, fate, said, time.monotonic() - began


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only those whose names contain one of these words")
    options = parser.parse_args(arguments)
    chosen = [one for one in MUTANTS if not options.names or any(word in one.name for word in options.names)]
    bad, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="iamine-mutant-") as folder:
        for proof in sorted({one.proof for one in chosen}):
            holds, said = prove(tree(Path(tempfile.mkdtemp(dir=folder))), proof)
            if not holds:
                print(f"the unchanged tree does not pass {' '.join(proof)}: {said}")
                return 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, fate, said, took_s in pool.map(attempt, chosen):
            bad += fate != "killed"
            print(
                f"{fate.upper() if fate != 'killed' else fate:12}  {mutant.name:45}  {took_s:5.1f} s  {said[:100]}", flush=True
            )
    print(f"{len(chosen) - bad} of {len(chosen)} mutants killed in {time.monotonic() - began:.0f} s")
    return 1 if bad or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
