"""How fast a loaded model is here: a short self-test, or the whole measure whose figures are remembered.

The whole measure reads a prompt of 90 % of one slot's context, then writes with one sequence and with all slots at once.
Each part has its share of the time; what is not reached in it is told as a smaller number of tokens.
"""

import time
from dataclasses import dataclass

from appliance.agent.engine.llama import Context

TEST_PROMPT_TOKENS = 128
TEST_S = 1.0  # a part of the self-test ends after this long
FILL = 0.9  # of one slot's context is read
READ_SHARE = 0.6  # of the time goes into reading; the rest in halves into writing with one and with all
FIRST_TOKENS = 16  # the first run touches every page of the file: it is short and does not count
LEAST_STEPS, MOST_STEPS = 4, 24  # the step at the first quarter in order of speed tells: a busy moment passes
BEARABLE_S = 2.0  # a machine that takes longer for FIRST_TOKENS reads no more than the time allows
GROWTH = 4  # a step of reading is at most this many times the one before


class CannotRun(Exception):
    """llama.cpp refused to decode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """In tokens/s: `prefill_tps` over `prefill_tokens`, `decode_tps` of one sequence, `decode_all_tps` of all together.

    Zero is what was not measured.
    """

    prefill_tps: float = 0.0
    prefill_tokens: int = 0
    decode_tps: float = 0.0
    decode_all_tps: float = 0.0


def self_test(context: Context) -> Speeds:
    """Under two seconds. Raises CannotRun."""
    tokens = min(TEST_PROMPT_TOKENS, context.options.context_tokens // 2)
    speed = 0.0
    for size in (min(FIRST_TOKENS, tokens), tokens):
        context.clear()
        speed = size / _read(context, 0, size)
        if size / speed > TEST_S:
            break
    decode_tps = 0.0 if context.options.embedding else _write(context, 1, TEST_S)
    context.clear()
    return Speeds(prefill_tps=speed, prefill_tokens=tokens, decode_tps=decode_tps)


def run_once(context: Context) -> None:
    """See that it runs at all: one token. Raises CannotRun."""
    context.clear()
    _read(context, 0, 1)
    context.clear()


def measure(context: Context, within_s: float) -> Speeds:
    """The whole measure in about `within_s` seconds (a step that runs is not broken off). Raises CannotRun."""
    read_s, write_s = READ_SHARE * within_s, (1 - READ_SHARE) / 2 * within_s
    tokens, speed = _fill(context, read_s)
    one = _write(context, 1, write_s)
    slots = context.options.slots
    together = _write(context, slots, write_s) if slots > 1 else one
    context.clear()
    return Speeds(prefill_tps=speed, prefill_tokens=tokens, decode_tps=one, decode_all_tps=together)


def _fill(context: Context, within_s: float) -> tuple[int, float]:
    """Read up to FILL of a slot's context, without the first run; tokens, and tokens/s of the better steps."""
    most = max(1, int(FILL * context.options.context_tokens))
    context.clear()
    size, end = min(FIRST_TOKENS, most), time.monotonic() + within_s
    last_s = _read(context, 0, size)
    if last_s > max(within_s, BEARABLE_S):
        return size, size / last_s
    context.clear()
    least_steps, least = (LEAST_STEPS, FIRST_TOKENS) if last_s < BEARABLE_S else (1, 1)
    done, speeds = 0, list[float]()
    while done < most and (len(speeds) < least_steps or time.monotonic() < end):
        fits = int(size * max(0.0, end - time.monotonic()) / last_s)  # so many more would be read in what is left
        size = min(context.options.batch_tokens, most - done, GROWTH * size, max(fits, least))
        last_s = _read(context, done, size)
        done, speeds = done + size, [*speeds, size / last_s]
    return done, sorted(speeds, reverse=True)[len(speeds) // 4]


def _write(context: Context, sequences: int, within_s: float) -> float:
    """Tokens/s of so many sequences together, from a few steps at least: on a machine that is busy they may take long."""
    most = max(1, min(MOST_STEPS, context.options.context_tokens - 1))
    context.clear()
    _step(context, sequences, 0)
    took_s: list[float] = []
    end = time.monotonic() + within_s
    while len(took_s) < most and (len(took_s) < LEAST_STEPS or time.monotonic() < end):
        began = time.monotonic()
        _step(context, sequences, len(took_s) + 1)
        took_s.append(max(time.monotonic() - began, 1e-9))
    return sequences / sorted(took_s)[len(took_s) // 4]


def _step(context: Context, sequences: int, position: int) -> None:
    """One token for each sequence."""
    for number in range(sequences):
        context.fill(number, number, position, [0], last_wanted=True)
    if context.decode(sequences) != 0:
        raise CannotRun


def _read(context: Context, position: int, count: int) -> float:
    """Seconds for `count` tokens at `position` of sequence 0."""
    context.fill(0, 0, position, [0] * count, last_wanted=True)
    began = time.monotonic()
    if context.decode(count) != 0:
        raise CannotRun
    return max(time.monotonic() - began, 1e-9)
