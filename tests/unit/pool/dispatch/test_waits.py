"""Queues looked at by many at once."""

from iamine.ids import ModelId
from pool.dispatch.waits import Waits

M = ModelId("m")


def test_a_queue_is_asked_for_twice_a_second_and_whenever_somebody_joined() -> None:
    asked: list[str] = []

    def wait_s(model: ModelId) -> float:
        asked.append(model)
        return float(len(asked))

    waits = Waits(wait_s)
    assert [waits.at(M, 0.0), waits.at(M, 0.4), waits.at(M, 0.5)] == [1.0, 1.0, 2.0]
    waits.joined(M)
    assert waits.at(M, 0.5) == 3.0
