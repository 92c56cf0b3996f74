"""The line between agent and pool fails one way, both ways, late and by reset: answers stay whole, zombies do not count."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from answers import PROMPTS, SLOW_TPS, TOKENS, Seen, all_answers, metric, uninterrupted
from faultproxy import DOWN, UP, FaultProxy
from house import House, free_port, wait_for

CUT_S = 5.0
STREAMS = 8


@dataclass
class Line:
    """A house with two agents, the far one behind the proxy, and what undisturbed answers are."""

    house: House
    proxy: FaultProxy
    whole: dict[str, Seen]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    house = House(tmp_path_factory.mktemp("line"), free_port(), workers=0)
    try:
        house.start()
        whole = uninterrupted(house, PROMPTS[:STREAMS])
        with FaultProxy(house.port) as proxy:
            house.worker("far", "--max-tps", SLOW_TPS, "--pool", f"http://127.0.0.1:{proxy.port}")
            house.worker("near", "--max-tps", SLOW_TPS)
            house.wait_ready(workers=2)
            yield Line(house, proxy, whole)
    finally:
        house.end()


def up_cut(house: House, proxy: FaultProxy) -> None:
    """The pool hears nothing any more, and what the agent said comes when it was given up long ago."""
    before = metric(house, "iamine_hub_evictions")
    proxy.hold(UP)
    time.sleep(CUT_S)
    assert metric(house, "iamine_hub_evictions") == before + 1
    proxy.let_go(UP)


def down_cut(house: House, proxy: FaultProxy) -> None:
    """The agent is told nothing: its engine freezes, the jobs move, the Cancel does not reach it; then the engine goes on."""
    agent = house.find("iamine", "worker", "far")
    engines = [child for child in agent.children(recursive=True) if "agent.engine" in " ".join(child.cmdline())]
    proxy.hold(DOWN)
    for engine in engines:
        engine.suspend()
    time.sleep(CUT_S)
    before = metric(house, "iamine_hub_zombies")
    for engine in engines:
        engine.resume()
    wait_for(lambda: metric(house, "iamine_hub_zombies") > before + 20, 20, "a zombie's frames come and are counted")
    assert metric(house, "iamine_workers") == 2, "a zombie is no criminal: it stays linked"
    proxy.let_go(DOWN)


def both_cut(house: House, proxy: FaultProxy) -> None:
    """Silence both ways, as when a cable is pulled; then a reset, as when it is put back."""
    before = metric(house, "iamine_hub_evictions")
    proxy.hold(UP, DOWN)
    time.sleep(CUT_S)
    assert metric(house, "iamine_hub_evictions") == before + 1
    proxy.reset()


def resets(house: House, proxy: FaultProxy) -> None:
    """A line that breaks every two seconds and is late between."""
    proxy.delay_s = 0.05
    for _ in range(4):
        time.sleep(2.0)
        proxy.reset()
    proxy.delay_s = 0.0


@dataclass
class Breaking(threading.Thread):
    """Does something to the line once all answers are under way; what went wrong with that is kept."""

    line: Line
    fault: Callable[[House, FaultProxy], None]
    failed: BaseException | None = None

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        try:
            wait_for(lambda: self.line.house.status()["running"] == STREAMS, 30, "answers under way")
            time.sleep(1.0)
            self.fault(self.line.house, self.line.proxy)
        except (AssertionError, OSError, httpx.HTTPError) as error:
            self.failed = error


@pytest.mark.parametrize("fault", [up_cut, down_cut, both_cut, resets])
def test_answers_stay_whole_and_the_agent_comes_back(line: Line, fault: Callable[[House, FaultProxy], None]) -> None:
    house, prompts = line.house, PROMPTS[:STREAMS]
    zombies = metric(house, "iamine_hub_zombies")
    breaking = Breaking(line, fault)
    breaking.start()
    seen = asyncio.run(all_answers(house, prompts, STREAMS))
    breaking.join()
    assert breaking.failed is None
    moved = sum(one.segments >= 2 for one in seen)
    zombies, longest_s = metric(house, "iamine_hub_zombies") - zombies, max(one.longest_pause_s for one in seen)
    print(f"{fault.__name__}: {moved} of {STREAMS} moved, longest pause {longest_s:.2f} s, {zombies:.0f} zombie frames")
    assert [one.tokens for one in seen] == [TOKENS] * STREAMS
    assert [one.text for one in seen] == [line.whole[prompt].text for prompt in prompts]
    assert moved >= 2, "nobody was at the far agent: this proves nothing"
    assert metric(house, "iamine_hub_breaches") == 0
    wait_for(lambda: house.joined() == 2, 60, "the far agent is back")
    wait_for(lambda: house.status()["running"] == 0 and house.status()["queued"] == 0, 10, "no slot stays taken")
