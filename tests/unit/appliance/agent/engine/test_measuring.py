"""What a loaded model is asked to do so that its speeds are known, and that time bounds it."""

from collections import deque

import pytest

from appliance.agent.engine import measuring
from appliance.agent.engine.llama import ContextOptions
from appliance.agent.engine.measuring import CannotRun, measure, run_once, self_test


class FakeContext:
    """Remembers each decode: rows, sequences and the position after it; its clock runs as fast as `tps` says."""

    def __init__(self, *, slots: int = 4, context_tokens: int = 1000, tps: float = 1e9, fails: bool = False) -> None:
        self.options = ContextOptions(
            slots=slots, context_tokens=context_tokens, batch_tokens=128, threads=1, exact=False, embedding=False
        )
        self.decoded: list[tuple[int, int]] = []
        self.filled: deque[tuple[int, int, int]] = deque()
        self.seconds = 0.0
        self._tps, self._fails = tps, fails

    def monotonic(self) -> float:
        return self.seconds

    def fill(self, at: int, sequence: int, position: int, ids: list[int], *, last_wanted: bool) -> int:
        assert at + len(ids) <= self.options.batch_tokens
        assert position + len(ids) <= self.options.context_tokens
        self.filled.append((sequence, position, len(ids)))
        return at + len(ids)

    def decode(self, count: int) -> int:
        self.decoded.append((len(self.filled), self.filled[-1][1] + self.filled[-1][2]))
        self.filled.clear()
        self.seconds += count / self._tps
        return int(self._fails)

    def clear(self) -> None:
        pass


def timed(monkeypatch: pytest.MonkeyPatch, context: FakeContext) -> FakeContext:
    monkeypatch.setattr(measuring, "time", context)
    return context


def test_nine_tenths_of_the_context_are_read_and_all_slots_write(monkeypatch: pytest.MonkeyPatch) -> None:
    context = timed(monkeypatch, FakeContext(tps=1000.0))
    found = measure(context, 12.0)  # type: ignore[arg-type]
    assert found.prefill_tokens == 900
    assert max(position for _, position in context.decoded) == 900
    assert max(rows for rows, _ in context.decoded) == 4
    assert [round(each) for each in (found.prefill_tps, found.decode_tps, found.decode_all_tps)] == [1000, 1000, 1000]


@pytest.mark.parametrize("tps", [0.5, 3.0, 20.0, 70.0])
def test_a_slow_machine_reads_a_part_and_is_done_in_time(monkeypatch: pytest.MonkeyPatch, tps: float) -> None:
    context = timed(monkeypatch, FakeContext(tps=tps, slots=1, context_tokens=8192))
    found = measure(context, 12.0)  # type: ignore[arg-type]
    assert 1 <= found.prefill_tokens < 900
    assert found.prefill_tps == pytest.approx(tps)
    assert found.decode_tps == found.decode_all_tps == pytest.approx(tps)
    assert context.seconds < 12.0 + (measuring.FIRST_TOKENS + 6) / tps, "one step of each part may run over"


def test_a_tiny_context_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure(timed(monkeypatch, FakeContext(context_tokens=2)), 1.0)  # type: ignore[arg-type]
    assert found.prefill_tokens == 1


@pytest.mark.parametrize("work", [run_once, self_test, lambda context: measure(context, 1.0)])
def test_what_cannot_run_is_an_error(work: "object") -> None:
    with pytest.raises(CannotRun):
        work(FakeContext(fails=True))  # type: ignore[operator]


def test_a_busy_moment_is_no_property_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    context = timed(monkeypatch, FakeContext(tps=1000.0, slots=1))
    plain, busy = context.decode, iter(range(10_000))

    def decode(count: int) -> int:
        context.seconds += 0.5 if next(busy) % 2 else 0.0
        return plain(count)

    monkeypatch.setattr(context, "decode", decode)
    assert measure(context, 60.0).decode_tps == pytest.approx(1000.0)  # type: ignore[arg-type]
