"""Beginnings are found again by whoever read them last, and the memory is bounded."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import WorkerId
from iamine.wire.messages import ChatWork, CompletionWork, EmbeddingWork
from pool.routing.prefix import LENGTHS, MOST_MARKS, MOST_PLACES, Prefixes, marks


def holder(name: str) -> tuple[WorkerId, str]:
    return WorkerId(name), "f"


def test_lengths_grow_by_half() -> None:
    assert LENGTHS[:4] == (256, 384, 512, 768) and LENGTHS[-1] == 1 << 20


@given(st.text(max_size=3000), st.text(max_size=500), st.text(max_size=500))
def test_equal_beginnings_have_equal_marks(same: str, one: str, other: str) -> None:
    first, second = marks(CompletionWork(prompt=same + one)), marks(CompletionWork(prompt=same + other))
    shared = sum(length <= len(same.encode()) for length in LENGTHS)
    assert first[:shared] == second[:shared]
    assert [mark.tokens for mark in first] == [length // 4 for length in LENGTHS[: len(first)]]


def test_every_kind_of_prompt_has_marks_but_embeddings() -> None:
    ids = tuple(range(100))
    assert len(marks(CompletionWork(prompt=ids))) == 2
    assert marks(CompletionWork(prompt=ids))[0] != marks(CompletionWork(prompt=(7, *ids)))[0]
    assert marks(EmbeddingWork(inputs=("x" * 999,))) == ()
    assert len(marks(CompletionWork(prompt="x" * 2_000_000))) == len(LENGTHS)
    chat = [marks(ChatWork(messages=msgspec.Raw(b"m" * 300), tools=msgspec.Raw(tools))) for tools in (b"[]", b"[1]")]
    assert chat[0] and chat[0] != chat[1]


def test_who_read_the_longest_part_is_told_with_its_tokens() -> None:
    prefixes = Prefixes()
    long, short = marks(CompletionWork(prompt="a" * 1000)), marks(CompletionWork(prompt="a" * 300 + "b" * 700))
    prefixes.remember(holder("long"), long)
    prefixes.remember(holder("short"), short)
    assert prefixes.cached(long) == {holder("long"): 192, holder("short"): 64}
    prefixes.forget(holder("long"))
    prefixes.forget(holder("nobody"))
    assert prefixes.cached(long) == {holder("short"): 64}
    prefixes.forget(holder("short"))
    assert len(prefixes) == 0


def test_the_memory_is_bounded_both_ways() -> None:
    prefixes = Prefixes()
    common = marks(CompletionWork(prompt="a" * 256))
    for number in range(MOST_PLACES + 5):
        prefixes.remember(holder(f"w{number}"), common)
    assert len(prefixes.cached(common)) == MOST_PLACES
    assert holder("w0") not in prefixes.cached(common)
    for number in range(MOST_MARKS + 5):
        prefixes.remember(holder("busy"), marks(CompletionWork(prompt=f"{number:04}" * 64)))
    assert len(prefixes) == MOST_MARKS + 1
