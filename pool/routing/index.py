"""The workers of one model, kept so that a decision looks at classes of speed and not at everybody.

Workers with a free slot that are equally fast (`Pace`) share a cell. A cell has a virtual clock: what serving costs
moves it on, which credits all its members at once; a member's deficit is the clock less the mark it came in with.
Within a cell the wait is the same, so the first by mark is the one with the largest deficit.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Mapping

from iamine.ids import WorkerId
from iamine.wire.messages import ModelOffer, Value
from pool.routing.choose import NEAR_TIE_NS, NS, Ask, Candidate, band_s
from pool.routing.deficit import clamped
from pool.routing.prefix import Holder
from pool.routing.speeds import Pace, capacity, expected_wait_s, jobs_per_s, pace

Member = tuple[int, WorkerId, "Place"]  # of a cell: the mark, the name for ties, the place


class Place:
    """A worker with one file. Its deficit is kept here while it is in no cell, and by the cell's clock while it is in one."""

    __slots__ = ("capacity", "cell", "jobs_per_s", "mark_ns", "most_jobs_per_s", "offer", "work_tps", "worker")

    def __init__(self, worker: WorkerId, offer: ModelOffer, deficit_ns: int = 0) -> None:
        self.worker = worker
        self.offer = offer
        self.capacity = capacity(offer)
        self.most_jobs_per_s = jobs_per_s(offer)
        self.jobs_per_s = self.work_tps = 0.0  # while it takes work
        self.cell: Cell | None = None
        self.mark_ns = -deficit_ns

    @property
    def deficit_ns(self) -> int:
        """Nanoseconds of its own capacity that it is owed; negative: it served more than its share."""
        return (self.cell.clock_ns if self.cell else 0) - self.mark_ns

    def shift(self, change_ns: int) -> None:
        """Its deficit changes, within the bounds."""
        cell, deficit_ns = self.cell, clamped(self.deficit_ns + change_ns)
        if cell is None:
            self.mark_ns = -deficit_ns
        else:
            cell.remove(self)
            cell.add(self, deficit_ns)


class Cell:
    """Workers that are equally fast now and have a free slot, the largest deficit first."""

    __slots__ = ("backlog", "banded_at", "capacity", "clock_ns", "members", "pace", "read_s", "write_s")

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.write_s, self.read_s, self.backlog = pace.write_s, pace.read_s, pace.backlog_tokens
        self.clock_ns = 0
        self.capacity = 0.0
        self.members: list[Member] = []
        self.banded_at = -math.inf

    def __lt__(self, other: "Cell") -> bool:
        return (self.write_s, self.pace) < (other.write_s, other.pace)

    def add(self, place: Place, deficit_ns: int) -> None:
        """One more member."""
        place.cell, place.mark_ns = self, self.clock_ns - deficit_ns
        insort(self.members, (place.mark_ns, place.worker, place))
        self.capacity += place.capacity

    def remove(self, place: Place) -> None:
        """One less."""
        del self.members[bisect_left(self.members, (place.mark_ns, place.worker))]
        place.mark_ns, place.cell = -place.deficit_ns, None
        self.capacity = self.capacity - place.capacity if self.members else 0.0

    def first(self, ask: Ask) -> Member | None:
        """The member with the largest deficit that may take the job."""
        if ask.file_sha256 not in ("", self.pace.file_sha256):
            return None
        return next((member for member in self.members if may_take(member[2], ask)), None)


class Decision(Value, frozen=True):
    """Who serves, and among whom it was chosen: what is to be credited and debited when the cost is known.

    `left_out`: members of the band's cells that were avoided; `added`: who is in the band by its cached prefix alone.
    `capacity` is that of all who were eligible. Times in seconds.
    """

    place: Place
    wait_s: float
    best_s: float
    deficit_ns: int
    cached_tokens: int
    eligible: int
    capacity: float
    cells: tuple[Cell, ...] = ()
    left_out: tuple[Place, ...] = ()
    added: tuple[Place, ...] = ()

    @property
    def reason(self) -> str:
        """Why this one, for `GET /v1/jobs/{id}`."""
        if self.eligible == 1:
            return f"the only free worker near the best expected wait ({self.best_s:.2f} s)"
        what = f"{self.cached_tokens} tokens of the prompt read before" if self.cached_tokens else "largest deficit"
        return (
            f"{what} ({self.deficit_ns / NS:+.1f} s) of {self.eligible} whose expected wait"
            f" ({self.wait_s:.2f} s here) is near the best ({self.best_s:.2f} s)"
        )


def may_take(place: Place, ask: Ask) -> bool:
    """Whether the job may go there: the same file if the answer has begun, context enough, and not who lost it."""
    offer = place.offer
    fits = ask.file_sha256 in ("", offer.file_sha256) and offer.context_tokens >= ask.least_context
    return fits and place.worker not in ask.avoid


class ModelIndex:
    """All places of one model."""

    def __init__(self) -> None:
        self.places: dict[Holder, Place] = {}
        self.jobs_per_s = self.work_tps = 0.0  # of all that take work, each with all its slots; work in virtual tokens
        self.usable = 0  # how many take work
        self.decided_at = -math.inf
        self.mean_ns = 0  # of the deficits, by capacity
        self._cells: dict[Pace, Cell] = {}
        self._live: list[Cell] = []  # those with members, the fastest writers first

    @property
    def free(self) -> bool:
        """Whether anybody has a free slot."""
        return bool(self._live)

    def add(self, place: Place) -> None:
        """One more place; `seat` follows. Its deficit is above or below the mean."""
        place.shift(self.mean_ns)
        self.places[place.worker, place.offer.file_sha256] = place

    def renew(self, holder: Holder, offer: ModelOffer) -> None:
        """The same file at other speeds; `seat` follows."""
        place = self.places[holder]
        if place.offer != offer:
            self.unseat(place)
            place.offer, place.capacity, place.most_jobs_per_s = offer, capacity(offer), jobs_per_s(offer)

    def drop(self, holder: Holder) -> Place:
        """It is gone, with its deficit above or below the mean."""
        place = self.places.pop(holder)
        self.unseat(place)
        place.shift(-self.mean_ns)
        self._count(place, usable=False)
        return place

    def seat(self, place: Place, *, running: int, backlog_tokens: int, usable: bool) -> None:
        """Where the place belongs now: into the cell of its pace, or out while it takes nothing."""
        if place.work_tps != (place.capacity if usable else 0.0):
            self._count(place, usable=usable)
        wanted = pace(place.offer, running, backlog_tokens) if usable and running < place.offer.slots else None
        if place.cell is not None and place.cell.pace == wanted:
            return
        self.unseat(place)
        if wanted is not None:
            cell = self._cells.get(wanted) or Cell(wanted)
            if not cell.members:
                self._cells[wanted] = cell
                insort(self._live, cell)
            cell.add(place, clamped(place.deficit_ns))

    def unseat(self, place: Place) -> None:
        """The place takes nothing; its deficit stays as it is."""
        cell = place.cell
        if cell is not None:
            cell.remove(place)
            if not cell.members:
                del self._live[bisect_left(self._live, cell)]

    def _count(self, place: Place, *, usable: bool) -> None:
        """What it gives is part of the sums while it takes work; sums of floats do not come back to 0 by themselves."""
        jobs, work = (place.most_jobs_per_s, place.capacity) if usable else (0.0, 0.0)
        self.usable += (work > 0) - (place.work_tps > 0)
        self.jobs_per_s = max(0.0, self.jobs_per_s + jobs - place.jobs_per_s) if self.usable else 0.0
        self.work_tps = max(0.0, self.work_tps + work - place.work_tps) if self.usable else 0.0
        place.jobs_per_s, place.work_tps = jobs, work

    def level(self) -> None:
        """Work out the mean deficit anew: whoever joins starts there, so that nobody is starved by what others are owed."""
        total = sum(place.capacity for place in self.places.values())
        self.mean_ns = round(sum(place.deficit_ns * place.capacity for place in self.places.values()) / total)

    def age(self, factor: float) -> None:
        """All deficits shrink, and sum to 0 again after some workers have left with theirs."""
        self.level()
        for place in self.places.values():
            before_ns = place.deficit_ns
            place.shift(round((before_ns - self.mean_ns) * factor) - before_ns)
        self.mean_ns = 0

    def decide(self, ask: Ask, cached: Mapping[Holder, int], now: float) -> Decision | None:
        """The same as `scan`, by cells. `cached`: tokens of the prompt by who has read them."""
        known = self._known(ask, cached)
        near, best_s = self._near(ask, min((wait_s for wait_s, _, _ in known), default=math.inf))
        if math.isinf(best_s):
            return None
        limit_s = band_s(best_s)
        self.decided_at = now
        anybody = not ask.avoid and not ask.least_context
        most, chosen_wait_s, chosen = -1 << 62, math.inf, None
        cells: list[Cell] = []
        for wait_s, cell in near:
            if wait_s > limit_s:
                continue
            cells.append(cell)
            cell.banded_at = now
            first = cell.members[0] if anybody else cell.first(ask)
            assert first is not None, "a cell without anybody who may take the job is not near"
            deficit_ns = cell.clock_ns - first[0]
            if deficit_ns < most:
                continue
            if chosen is None or deficit_ns > most or (wait_s, first[1]) < (chosen_wait_s, chosen.worker):
                most, chosen_wait_s, chosen = deficit_ns, wait_s, first[2]
        known = [one for one in known if one[0] <= limit_s]
        most = max([most, *(place.deficit_ns for _, _, place in known)])
        tied = [
            (-tokens, -p.deficit_ns, wait_s, p.worker, p) for wait_s, tokens, p in known if p.deficit_ns >= most - NEAR_TIE_NS
        ]
        tokens = 0
        if tied:
            tokens, _, chosen_wait_s, _, chosen = min(tied)
        assert chosen is not None, "somebody has the best wait"
        return self._decision(ask, (chosen, chosen_wait_s, best_s, -tokens), cells, known)

    def _decision(
        self, ask: Ask, found: tuple[Place, float, float, int], cells: list[Cell], known: list[tuple[float, int, Place]]
    ) -> Decision:
        """A job that needs more context than most have is nobody's turn: only who serves it is credited and debited."""
        chosen, wait_s, best_s, cached_tokens = found
        told = chosen, wait_s, best_s, chosen.deficit_ns, cached_tokens
        if ask.least_context:
            return Decision(*told, 1, chosen.capacity, (), (), (chosen,))
        eligible, total = sum([len(cell.members) for cell in cells]), sum([cell.capacity for cell in cells])
        left_out = self._left_out(ask, cells) if ask.avoid else []
        added = [place for _, _, place in known if place.cell not in cells] if known else []
        if left_out or added:
            eligible += len(added) - len(left_out)
            total += sum(place.capacity for place in added) - sum(place.capacity for place in left_out)
        return Decision(*told, eligible, total, tuple(cells), tuple(left_out), tuple(added))

    def _known(self, ask: Ask, cached: Mapping[Holder, int]) -> list[tuple[float, int, Place]]:
        """(wait, tokens, place) of those with a free slot that have read a part of the prompt."""
        found: list[tuple[float, int, Place]] = []
        for holder, tokens in cached.items():
            place = self.places.get(holder)
            if place is not None and place.cell is not None and may_take(place, ask):
                found.append((_wait_s(place.cell.pace, ask, tokens), tokens, place))
        return found

    def _near(self, ask: Ask, best_s: float) -> tuple[list[tuple[float, Cell]], float]:
        """Cells that may be in the band, and the best wait of all."""
        output, prompt = ask.output_tokens, ask.prompt_tokens
        anybody = not ask.avoid and not ask.least_context and not ask.file_sha256
        near: list[tuple[float, Cell]] = []
        limit_s = band_s(best_s)
        for cell in self._live:
            least_s = output * cell.write_s
            if least_s > limit_s:
                break  # those that follow write more slowly still
            wait_s = (cell.backlog + prompt) * cell.read_s + least_s
            if wait_s <= limit_s and (anybody or cell.first(ask)):
                near.append((wait_s, cell))
                if wait_s < best_s:
                    best_s, limit_s = wait_s, band_s(wait_s)
        return near, best_s

    def _left_out(self, ask: Ask, cells: list[Cell]) -> list[Place]:
        """Members of these cells that are avoided."""
        holders = [((worker, cell.pace.file_sha256), cell) for worker in ask.avoid for cell in cells]
        return [place for holder, cell in holders if (place := self.places.get(holder)) is not None and place.cell is cell]

    def scan(self, ask: Ask, cached: Mapping[Holder, int]) -> list[Candidate]:
        """Everybody who may take the job: the plain definition, for `choose`."""
        return [
            Candidate(
                worker=place.worker,
                wait_s=_wait_s(place.cell.pace, ask, tokens),
                deficit_ns=place.deficit_ns,
                cached_tokens=tokens,
            )
            for holder, place in self.places.items()
            if place.cell is not None and may_take(place, ask)
            for tokens in (cached.get(holder, 0),)
        ]


def _wait_s(pace: Pace, ask: Ask, cached_tokens: int) -> float:
    unread = max(0, ask.prompt_tokens - cached_tokens)
    return expected_wait_s(pace, prompt_tokens=unread, output_tokens=ask.output_tokens)
