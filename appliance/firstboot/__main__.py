"""`python -m appliance.firstboot`: every step in its order, then a report for the console."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from appliance.firstboot.perform import Places, Start
from appliance.firstboot.settings import Problem
from appliance.firstboot.steps import Outcome, Perform, Skip, Step, following
from appliance.medium.files import write
from appliance.medium.stick import StickError

REPORT = Path("/run/iamine/start.json")


def main() -> int:
    """Always 0: what failed is told, and the machine works with what it has."""
    start, outcomes = Start(Places()), dict[Step, Outcome]()
    performers = start.performers()
    while (move := following(outcomes)) is not None:
        match move:
            case Skip(step, because):
                outcomes[step] = Outcome.SKIPPED
                sys.stderr.write(f"{step.value}: left out, because of {because.value}\n")
            case Perform(rule):
                try:
                    performers[rule.step]()
                    outcomes[rule.step] = Outcome.DONE
                except (StickError, OSError, subprocess.SubprocessError) as error:
                    outcomes[rule.step] = Outcome.FAILED
                    start.problems.append(Problem(code=rule.code, message=f"{rule.step.value}: {error}", advice=rule.advice))
    report(start, outcomes, REPORT)
    return 0


def report(start: Start, outcomes: dict[Step, Outcome], path: Path) -> None:
    """What the console shows: outcomes, problems, the pool; never a secret. The problems go to the log, too."""
    for problem in start.problems:
        sys.stderr.write(f"{problem.code}: {problem.message}\n")
    told = {
        "steps": {step.value: outcome.value for step, outcome in outcomes.items()},
        "problems": [asdict(problem) for problem in start.problems],
        "pool": start.settings.pool,
        "kept": start.kept,
        "recovery": start.recovery,
        "in_memory": start.in_memory,
        "disk": start.disk,
    }
    write(path, json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
