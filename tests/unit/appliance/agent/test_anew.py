"""Planning anew: what is looked at, what is chosen, and when."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from fakes.machines import card, made

from appliance.agent.anew import Anew
from appliance.agent.machine import Hardware
from appliance.agent.types import ModelSpec
from appliance.agent.watchdog import EXIT_REBOOT, EXIT_RESTART, FILE_NAME, Watchdog
from iamine.ids import ModelId

GB = 10**9
SPEC = ModelSpec(model=ModelId("m"), path=Path("m.gguf"), file_sha256="m", gpu_layers=999)
WITHOUT, WITH = made(16 * GB), made(16 * GB, card("NVIDIA A", 8 * GB, 8 * GB))


@dataclass
class Bench:
    """A worker's life as it is seen from here."""

    folder: Path
    here: Hardware = WITH
    busy: int = 0
    may: bool = False
    settled: list[Hardware] = field(default_factory=list)
    reloads: list[str] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    now: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        watchdog = Watchdog(
            path=self.folder / FILE_NAME, say=print, now=lambda: self.now, supervised=self.may, may_reboot=self.may
        )  # fmt: skip
        self.anew = Anew(
            machine=WITH,
            watchdog=watchdog,
            probe=lambda: self.here,
            settle_on=self.settled.append,
            reload=self.reload,
            busy=self.is_busy,
            leave=self.left.append,
        )

    def is_busy(self) -> bool:
        self.busy -= 1
        return self.busy >= 0

    async def reload(self, why: str) -> None:
        self.reloads.append(why)
        await self.anew.prepare()


async def test_a_card_that_went_is_looked_for_after_everything_was_let_go(tmp_path: Path) -> None:
    bench = Bench(tmp_path, here=WITHOUT, busy=99)
    await bench.anew.again("it went", look=True, at_once=True)
    assert (bench.reloads, bench.settled, bench.busy) == (["it went"], [WITHOUT], 99)
    await bench.anew.prepare()
    assert bench.settled == [WITHOUT], "once"


async def test_a_card_that_came_waits_for_the_running_answers(tmp_path: Path) -> None:
    bench = Bench(tmp_path, busy=1)
    await bench.anew.again("it came", look=True, at_once=False)
    assert bench.busy == -1 and bench.settled == [WITH]


async def test_trouble_on_a_card_excuses_the_file_and_plans_without_the_card(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert not bench.anew.died(SPEC, "", False)
    assert bench.anew.died(SPEC, "", True)
    while not bench.settled:
        await asyncio.sleep(0)
    assert [device.left_out for device in bench.settled[0].devices] == [True]
    assert bench.left == []


async def test_worse_trouble_ends_the_worker_as_the_watchdog_says(tmp_path: Path) -> None:
    bench = Bench(tmp_path, may=True)
    bench.anew.machine = made(16 * GB, *(card(name, 8 * GB, 8 * GB) for name in "abcd"))
    assert all(bench.anew.died(SPEC, "", True) for _ in range(3))
    assert bench.left == [EXIT_RESTART, EXIT_REBOOT]


async def test_with_nothing_to_load_it_asks_the_watchdog_how_to_end(tmp_path: Path) -> None:
    assert Bench(tmp_path / "none").anew.idle() == 0
    bench = Bench(tmp_path, may=True)
    assert (bench.anew.idle(), bench.anew.idle()) == (EXIT_RESTART, EXIT_REBOOT)
