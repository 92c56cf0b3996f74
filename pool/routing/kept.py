"""What outlives a link: the deficits of workers that left, and which deficits are to be written down."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iamine.ids import WorkerId
from pool.routing.choose import NS
from pool.routing.index import Place
from pool.routing.prefix import Holder

WORTH_NS = NS  # a deficit that moved by less than a second of the worker's own capacity is not written again
MOST_AWAY = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A worker's deficit for a file, in seconds of its own capacity."""

    worker: WorkerId
    file_sha256: str
    deficit_s: float


class Away:
    """Deficits of those who left, until they are written down; and which of those who are here were never known."""

    def __init__(self) -> None:
        self._left: OrderedDict[Holder, Place] = OrderedDict()
        self._new: set[Holder] = set()
        self._written: dict[Holder, int] = {}

    def left(self, holder: Holder, place: Place) -> None:
        """Gone: nothing accrues from here on, but what it had under way may still be settled."""
        self._new.discard(holder)
        self._left[holder] = place
        if len(self._left) > MOST_AWAY:
            old, _ = self._left.popitem(last=False)
            self._written.pop(old, None)

    def back(self, holder: Holder) -> int:
        """What it was owed when it left; 0 for one that is not remembered here, who may still be `restored`."""
        if holder in self._left:
            return self._left.pop(holder).deficit_ns
        self._new.add(holder)
        return 0

    def is_new(self, holder: Holder) -> bool:
        """Whether nothing was remembered of one that is here; true once."""
        new = holder in self._new
        self._new.discard(holder)
        return new

    def owed(self, here: Mapping[Holder, int]) -> tuple[Owed, ...]:
        """All that is to be written, given the deficits (in nanoseconds) of those who are here."""
        found = [(holder, ns) for holder, ns in here.items() if abs(ns - self._written.get(holder, 0)) >= WORTH_NS]
        gone = [(holder, place.deficit_ns) for holder, place in self._left.items()]
        return tuple(Owed(worker=worker, file_sha256=file, deficit_s=ns / NS) for (worker, file), ns in found + gone)

    def written(self, owed: Iterable[Owed]) -> None:
        """These were written: who is away is forgotten here."""
        for one in owed:
            holder = one.worker, one.file_sha256
            if holder in self._left:
                del self._left[holder]
                self._written.pop(holder, None)
            else:
                self._written[holder] = round(one.deficit_s * NS)
