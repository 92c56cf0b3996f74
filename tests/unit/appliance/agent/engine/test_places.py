"""What a place is said to hold is what its memory holds, wherever that was copied from."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.engine.batching import LEAST_SHARED_TOKENS
from appliance.agent.engine.places import Places

SYSTEM = list(range(1000, 1100))


class Remembered:
    """A memory that keeps its promise: sequences as lists of ids. `cuts` is False for a model that can only drop all."""

    def __init__(self, count: int, *, cuts: bool = True) -> None:
        self.held: list[list[int]] = [[] for _ in range(count)]
        self.copies = 0
        self.cuts = cuts

    def forget(self, sequence: int, since: int) -> bool:
        if self.cuts or since >= len(self.held[sequence]) or since == 0:
            del self.held[sequence][since:]
            return True
        self.held[sequence].clear()
        return False

    def copy(self, source: int, target: int) -> None:
        self.copies += 1
        self.held[target] = list(self.held[source])


def run(places: Places, memory: Remembered, ids: list[int], busy: set[int]) -> tuple[int, int]:
    """Takes a place and reads what is missing; (place, how many ids were there already)."""
    begun = places.begin(ids, busy)
    assert memory.held[begun.slot] == ids[: begun.common]
    memory.held[begun.slot] += ids[begun.common :]
    places.extend(begun.slot, ids[begun.common :])
    return begun.slot, begun.common


def test_a_busy_places_beginning_is_copied() -> None:
    memory = Remembered(2)
    places = Places(memory, 2)
    first, _ = run(places, memory, [*SYSTEM, 1, 2], set())
    second, held = run(places, memory, [*SYSTEM, 3, 4], {first})
    assert (second != first, held, memory.copies) == (True, len(SYSTEM), 1)
    assert memory.held[first] == [*SYSTEM, 1, 2]


def test_a_conversation_that_rests_is_not_lost_for_another_with_the_same_system_prompt() -> None:
    memory = Remembered(2)
    places = Places(memory, 2)
    talk = [*SYSTEM, *range(500)]
    first, _ = run(places, memory, talk, set())
    places.free(first)
    run(places, memory, [*SYSTEM, 7], set())
    assert run(places, memory, [*talk, 9], set()) == (first, len(talk))


def test_what_would_save_little_is_not_copied() -> None:
    memory = Remembered(2)
    places = Places(memory, 2)
    few = SYSTEM[: LEAST_SHARED_TOKENS - 1]
    first, _ = run(places, memory, [*few, 1], set())
    assert run(places, memory, [*few, 2], {first})[1] == 0
    assert memory.copies == 0


def test_the_last_id_is_always_computed() -> None:
    memory = Remembered(3)
    places = Places(memory, 3)
    first, _ = run(places, memory, SYSTEM, set())
    assert run(places, memory, SYSTEM, {first})[1] == len(SYSTEM) - 1
    places.free(first)
    assert run(places, memory, SYSTEM, {1})[1] == len(SYSTEM) - 1


def test_a_memory_that_cannot_be_cut_is_copied_only_whole() -> None:
    memory = Remembered(4, cuts=False)
    places = Places(memory, 4)
    first, _ = run(places, memory, [*SYSTEM, 1], set())
    assert run(places, memory, [*SYSTEM, 2], {first})[1] == 0
    second, held = run(places, memory, [*SYSTEM, 2, 3], {first, 1})
    assert (held, memory.copies) == (len(SYSTEM) + 1, 1)
    assert run(places, memory, [*SYSTEM, 4], {first, 1, second})[1] == 0
    assert memory.copies == 1


def test_what_was_not_drawn_is_forgotten() -> None:
    memory = Remembered(1)
    places = Places(memory, 1)
    slot, _ = run(places, memory, [1, 2, 3, 4], set())
    places.cut(slot, 2)
    assert memory.held[slot] == [1, 2]
    assert run(places, memory, [1, 2, 3], set())[1] == 2


def test_a_lost_place_holds_nothing() -> None:
    memory = Remembered(2)
    places = Places(memory, 2)
    slot, _ = run(places, memory, SYSTEM, set())
    places.lose(slot)
    assert memory.held[slot] == []
    assert run(places, memory, SYSTEM, set())[1] == 0


@given(st.integers(0, 10_000), st.booleans())
def test_whatever_comes_and_goes_places_and_memory_agree(seed: int, cuts: bool) -> None:
    chance = random.Random(seed)
    memory = Remembered(4, cuts=cuts)
    places = Places(memory, 4)
    busy: set[int] = set()
    for _ in range(40):
        if len(busy) < 4 and chance.random() < 0.6:
            ids = [*SYSTEM[: chance.choice([0, 50, 100])], *(chance.randrange(3) for _ in range(chance.randint(1, 60)))]
            busy.add(run(places, memory, ids, busy)[0])
        elif busy:
            slot = chance.choice(sorted(busy))
            busy.discard(slot)
            places.free(slot) if chance.random() < 0.9 else places.lose(slot)


@pytest.mark.parametrize("held", [0, 40])
def test_a_follower_takes_over_what_its_leader_has_read(held: int) -> None:
    memory = Remembered(2)
    places = Places(memory, 2)
    first, _ = run(places, memory, SYSTEM[:held] or [1], set())
    second = places.begin([*SYSTEM, 5], {first}).slot
    memory.held[first] = [*SYSTEM, 6]
    places.lose(first)
    memory.held[first] = [*SYSTEM, 6]
    places.extend(first, [*SYSTEM, 6])
    assert places.adopt(second, [*SYSTEM, 5], held) == len(SYSTEM)
    assert memory.held[second] == SYSTEM
