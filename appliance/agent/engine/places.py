"""The context's sequences as places: what ids each holds, and how a job begins with as many of its own as there are."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from appliance.agent.engine.batching import Chosen, Idle, best_donor, choose_slot


class Memory(Protocol):
    """What a place must be able to do with llama.cpp's memory (see `llama.Context`)."""

    cuts: bool

    def forget(self, sequence: int, since: int) -> bool: ...
    def copy(self, source: int, target: int) -> None: ...


@dataclass(slots=True)
class Place:
    """A sequence number of the context: the ids in its memory and when it was last given up."""

    ids: list[int] = field(default_factory=list)
    used: int = 0


class Places:
    """Keeps `ids` what the memory holds; `busy` are the places in which a sequence runs."""

    def __init__(self, memory: Memory, count: int) -> None:
        self._memory = memory
        self._places = [Place() for _ in range(count)]
        self._clock = 0

    def __len__(self) -> int:
        return len(self._places)

    def begin(self, ids: Sequence[int], busy: Container[int]) -> Chosen:
        """The place for a job with these ids, and how many of them it holds now: its own or another place's."""
        idle = [Idle(slot=n, ids=p.ids, used=p.used) for n, p in enumerate(self._places) if n not in busy]
        chosen = choose_slot(idle, ids)
        held = self._keep(chosen.slot, chosen.common)
        return Chosen(slot=chosen.slot, common=self.adopt(chosen.slot, ids, held))

    def adopt(self, slot: int, ids: Sequence[int], held: int) -> int:
        """Copies another place's memory if that saves enough; how many of the ids are held then."""
        donor = best_donor([place.ids for place in self._places], ids, slot=slot, held=held)
        if donor is None or not (self._memory.cuts or donor.common == len(self._places[donor.slot].ids)):
            return held
        self._memory.copy(donor.slot, slot)
        self._places[slot].ids = list(ids[: donor.common])
        return self._keep(slot, donor.common)

    def extend(self, slot: int, ids: Sequence[int]) -> None:
        """The ids go into the next step."""
        self._places[slot].ids.extend(ids)

    def cut(self, slot: int, count: int) -> None:
        """The ids from place `count` on were not drawn. Only where the memory cuts."""
        self._keep(slot, count)

    def lose(self, slot: int) -> None:
        """Nothing is held any more."""
        self._memory.forget(slot, 0)
        self._places[slot].ids.clear()

    def free(self, slot: int) -> None:
        """Its sequence is over; the memory stays for a later job with the same beginning."""
        self._clock += 1
        self._places[slot].used = self._clock

    def _keep(self, slot: int, count: int) -> int:
        """Cuts the memory down to its first `count` ids; how many are left."""
        left = count if self._memory.forget(slot, count) else 0
        del self._places[slot].ids[left:]
        return left
