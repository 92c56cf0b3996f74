"""Examinations side by side, each in a thread and a time of its own: one that hangs holds nobody else up."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from appliance.agent.doctor.check import Check, fail
from iamine.errors import IamineError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Checks that follow from each other. `limit_s` is for all of them; `stuck` says what to do when they take longer."""

    name: str
    limit_s: float
    look: Callable[[], Iterable[Check]]
    stuck: str


def examined(examinations: Sequence[Examination], clock: Callable[[], float] = time.monotonic) -> Iterator[Check]:
    """Every check in the examinations' order; all are begun at once. What takes too long fails, and is left to itself."""
    began = clock()
    running = [(each, _begun(each)) for each in examinations]
    for each, results in running:
        while True:
            try:
                check = results.get(timeout=max(0.0, began + each.limit_s - clock()))
            except queue.Empty:
                yield fail(each.name, f"did not end within {each.limit_s:.0f} s", each.stuck)
                break
            if check is None:
                break
            yield check


def _begun(examination: Examination) -> "queue.SimpleQueue[Check | None]":
    results: queue.SimpleQueue[Check | None] = queue.SimpleQueue()
    threading.Thread(target=_run, args=(examination, results), name=examination.name, daemon=True).start()
    return results


def _run(examination: Examination, results: "queue.SimpleQueue[Check | None]") -> None:
    try:
        for check in examination.look():
            results.put(check)
    except IamineError as error:
        results.put(fail(examination.name, error.message, error.hint or "correct that, then `iamine doctor` again"))
    except Exception as error:  # noqa: BLE001 - the other examinations go on; this one is told
        what = f"the check itself failed: {type(error).__name__}: {error}"
        results.put(fail(examination.name, what, "please report this line"))
    finally:
        results.put(None)


@dataclass(slots=True)
class Once(Generic[T]):
    """A value that several examinations need and the first of them makes; the others wait for it."""

    make: Callable[[], T]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _made: list[T] = field(default_factory=list)

    def __call__(self) -> T:
        """The value. Raises whatever making it raises, each time anew."""
        with self._lock:
            if not self._made:
                self._made.append(self.make())
            return self._made[0]
