"""A job's events on their way: what a slow reader finds."""

from pool.hub.stream import LOOSE, Stream
from pool.routing.types import Delta


async def test_ten_thousand_deltas_that_nobody_reads_take_few_places_and_are_read_as_one() -> None:
    stream = Stream(on_cancel=lambda: None)
    for index in range(10_000):
        stream.put(Delta(index=index, ids=(index,), text=f" {index}"))
    assert len(stream._events) <= 10_000 // LOOSE + LOOSE
    whole = await anext(stream)
    assert isinstance(whole, Delta) and whole.index == 0
    assert whole.ids == tuple(range(10_000))
    assert whole.text == "".join(f" {index}" for index in range(10_000))
    stream.put(Delta(index=10_000, ids=(1,), text="x"))
    assert await anext(stream) == Delta(index=10_000, ids=(1,), text="x")
