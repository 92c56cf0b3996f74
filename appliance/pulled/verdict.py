"""Pure: whether the stick was pulled out, and what is told then."""

from collections.abc import Mapping

CODE = "E-STICK"
MESSAGE = "the stick was pulled out: the worker goes on from memory, and keeps nothing"
ADVICE = "to go back to its models and settings: put the stick in and start the machine again"


def after(start: Mapping[str, object], devices: set[str]) -> dict[str, object] | None:
    """First boot's report once the stick is gone; None while there is nothing to do (`devices`: block devices there)."""
    disk = str(start.get("disk", "")).removeprefix("/dev/")
    problems = start.get("problems")
    known = list(problems) if isinstance(problems, list) else []
    if not disk or disk in devices or not start.get("in_memory") or any(each.get("message") == MESSAGE for each in known):
        return None
    problem = {"code": CODE, "message": MESSAGE, "advice": ADVICE}
    return {**start, "kept": False, "disk": "", "problems": [*known, problem]}
