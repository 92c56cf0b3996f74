"""What the worker's screen costs: CPU-seconds of drawing, beside the second that one drawing has.

    .venv/bin/python bench/console.py [DRAWINGS]

A busy worker's picture is drawn DRAWINGS (300) times, each with other tokens, speeds and lines, as the worker does once a
second, on 80x25 and 200x60, in colour. Prints milliseconds of CPU for each and the share of one core; ends with 1 if the
dearest is above GATE_SHARE. Then what reading this machine's sensors costs. Process time, so other programs count for little.
"""

import io
import sys
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from appliance.agent.board import Board
from appliance.agent.probe.sensors import EVERY_S, gauges
from appliance.agent.screen import LIVE_EVERY_S, LiveScreen
from appliance.agent.types import Linked, Slot, Status
from appliance.agent.view import Download
from iamine.ids import ModelId, SessionId, WorkerId
from iamine.wire.messages import ModelOffer

GATE_SHARE = 0.02  # of one core: issue 6
OFFER = ModelOffer(model=ModelId("model-8b"), file_sha256="f", slots=8, context_tokens=8192, vocabulary_tokens=9)
LINK = Linked(pool="home", fingerprint="f", worker=WorkerId("wrk_1"), session=SessionId("s"))


def status(number: int) -> Status:
    """Eight answers, each a little further."""
    slots = tuple(Slot(model="model-8b", tokens=number * 7 + each, rate_tps=7.0 + (number + each) % 5) for each in range(8))
    return Status(
        models=(OFFER,), link=LINK, running=8, jobs_done=number, jobs_failed=0, tokens=number * 56, rate_tps=56.0 + number % 7,
        draining=False, slots=slots,
    )  # fmt: skip


def drawing_s(columns: int, rows: int, drawings: int) -> float:
    """CPU-seconds of one drawing."""
    now = [0.0]
    board = Board(lambda: datetime.fromtimestamp(now[0], timezone.utc), lambda: now[0])
    console = Console(file=io.StringIO(), force_terminal=True, width=columns, height=rows, color_system="truecolor")
    screen = LiveScreen(console, lambda: datetime.fromtimestamp(now[0], timezone.utc), board)
    board.about("AMD Ryzen 7 5700U, 8 cores usable, 12.1 GB of 16.0 GB memory free; NVIDIA GeForce RTX 3060, 12.0 GB")
    board.chosen(["model-8b: needs 6.8 GB at 8 x 8192 tokens, have 11.2 GB, about 61 tokens/s; the next larger needs 17.1 GB"])
    for number in range(3):
        board.warn(f"problem {number}", "what to do about it")
    began = time.process_time()
    for number in range(drawings):
        now[0] += 60.0  # a minute each, so that the chart moves too: dearer than the truth
        board.fetching(Download(title="model-14b", done_bytes=number * 10**6, total_bytes=9 * 10**9, bytes_per_s=12e6 + number))
        board.say(f"event {number}") if number % 10 == 0 else None
        screen.show(replace(status(number), tokens=number * number * 11))
    return (time.process_time() - began) / drawings


def main() -> int:
    """Measure both sizes and the sensors."""
    drawings, worst = int(sys.argv[1]) if len(sys.argv) > 1 else 300, 0.0
    for columns, rows in ((80, 25), (200, 60)):
        each_s = drawing_s(columns, rows, drawings)
        worst = max(worst, each_s / LIVE_EVERY_S)
        print(f"{columns}x{rows}: {1e3 * each_s:.2f} ms of CPU a drawing, {100 * each_s / LIVE_EVERY_S:.2f} % of one core")
    began = time.process_time()
    for _ in range(100):
        gauges(Path("/"))
    each_s = (time.process_time() - began) / 100
    print(f"sensors of the kernel: {1e3 * each_s:.2f} ms of CPU a reading, {100 * each_s / EVERY_S:.3f} % of one core")
    return int(worst > GATE_SHARE)


if __name__ == "__main__":
    raise SystemExit(main())
