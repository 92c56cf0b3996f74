"""What a decision costs with many workers: the index beside the plain scan over everybody.

    .venv/bin/python bench/decision.py [WORKERS]

A model with WORKERS (10 000) workers of all speeds, a tenth of them full; 2 000 jobs of mixed lengths are chosen for,
charged, and some of them ended. Then the whole scheduler with as many workers: what a job, a token frame, a heartbeat
and a tick cost. Prints the medians in microseconds and the ratio of index and scan; ends with 1 if the index's median
for choosing is above GATE_US (stream.md). Process time, so other programs on the machine count for little.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, ModelOffer, Sampling
from pool.routing.choose import NS, Ask, choose
from pool.routing.credit import charge
from pool.routing.effects import Send
from pool.routing.index import ModelIndex, Place
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder

GATE_US, AIM_US = 100.0, 20.0
JOBS, SCANS = 2000, 40


def fleet(workers: int, draw: random.Random) -> ModelIndex:
    """Workers from 2 to 128 tokens a second, each reading 4 to 30 times as fast as it writes."""
    index = ModelIndex()
    for number in range(workers):
        decode_tps = 2.0 ** draw.uniform(1, 7)
        offer = ModelOffer(
            model=ModelId("m"),
            file_sha256="f",
            slots=draw.randint(1, 4),
            context_tokens=4096,
            vocabulary_tokens=9,
            decode_tps=decode_tps,
            prefill_tps=decode_tps * draw.uniform(4, 30),
        )
        place = Place(WorkerId(f"w{number}"), offer, round(draw.uniform(-60, 60) * NS))
        index.add(place)
        full = draw.random() < 0.1
        backlog = draw.choice((0, 0, 0, 200, 2000))
        index.seat(place, running=offer.slots if full else draw.randrange(offer.slots), backlog_tokens=backlog, usable=True)
    return index


def ask(draw: random.Random) -> Ask:
    """Short and long prompts, short and long answers."""
    return Ask(prompt_tokens=round(2.0 ** draw.uniform(3, 11)), output_tokens=draw.choice((16, 64, 256, 256)))


def timed_us(work: Callable[[], object]) -> float:
    """Microseconds of this process."""
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / 1000


def whole(workers: int, draw: random.Random) -> dict[str, float]:
    """Medians of the scheduler's own events, with up to 3 000 jobs in flight."""
    scheduler = Scheduler(Patience(idle_silence_s=1e9, busy_silence_s=1e9, stall_s=1e9, late_tick_s=1e9))
    for (worker, _), place in fleet(workers, draw).places.items():
        scheduler.on_worker(worker, (place.offer,), 0.0)
    costs: dict[str, list[float]] = {"job": [], "started": [], "token": [], "finished": [], "heartbeat": [], "tick": []}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time_ns()
        told = work()
        costs[name].append((time.process_time_ns() - began) / 1000)
        return told

    running: list[Send] = []
    for number in range(4000):
        wanted = ask(draw)
        order = JobOrder(
            job=JobId(f"j{number}"), account=AccountId(f"a{number % 50}"), model=ModelId("m"), work=CompletionWork(prompt="x"),
            sampling=Sampling(max_tokens=wanted.output_tokens), wall_time_s=0.0, deadline_s=1e9,
            estimated_prompt_tokens=wanted.prompt_tokens,
        )  # fmt: skip
        running += [e for e in timed("job", lambda order=order: scheduler.on_job(order, 1.0)) if isinstance(e, Send)]
        if len(running) > 3000:
            sent = running.pop(draw.randrange(len(running)))
            key = sent.worker, sent.job
            timed("started", lambda key=key, sent=sent: scheduler.on_started(*key, sent.epoch, 1.0, 100, 0))
            for index in range(5):
                timed("token", lambda key=key, sent=sent, i=index: scheduler.on_tokens(*key, sent.epoch, i, 1, 1.0))
            _, effects = timed("finished", lambda key=key, sent=sent: scheduler.on_finished(*key, sent.epoch, 5, 1.0))
            running += [e for e in effects if isinstance(e, Send)]
            timed("heartbeat", lambda key=key: scheduler.on_heartbeat(key[0], True, 1.0))
    for number in range(20):
        timed("tick", lambda now=2.0 + number / 4: scheduler.on_tick(now))
    return {name: statistics.median(times) for name, times in costs.items()}


def main() -> int:
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    draw = random.Random(1)
    index = fleet(workers, draw)
    chosen_us, whole_us, scan_us = [], [], []
    for number in range(JOBS):
        wanted = ask(draw)
        if number % (JOBS // SCANS) == 0:
            scan_us.append(timed_us(lambda wanted=wanted: choose(index.scan(wanted, {}))))
        began = time.process_time_ns()
        decision = index.decide(wanted, {}, float(number))
        decided = time.process_time_ns()
        assert decision is not None
        charge(decision, 512.0)
        index.seat(decision.place, running=draw.randint(0, decision.place.offer.slots), backlog_tokens=0, usable=True)
        chosen_us.append((decided - began) / 1000)
        whole_us.append((time.process_time_ns() - began) / 1000)
    median, scan = statistics.median(chosen_us), statistics.median(scan_us)
    high = statistics.quantiles(chosen_us, n=100)[98]
    print(f"{workers} workers in {len(index._live)} cells; median (99th percentile) of {JOBS} decisions, microseconds of CPU")
    print(f"  choose, by index      {median:8.1f} ({high:.1f})   gate {GATE_US:g}, aim {AIM_US:g}")
    print(f"  choose, charge, seat  {statistics.median(whole_us):8.1f}")
    print(f"  choose, plain scan    {scan:8.1f}   {scan / median:.0f} times the index")
    print("  the scheduler's events " + ", ".join(f"{name} {us:.1f}" for name, us in whole(workers, draw).items()))
    return 0 if median <= GATE_US else 1


if __name__ == "__main__":
    sys.exit(main())
