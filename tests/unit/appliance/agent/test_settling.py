"""What is loaded is measured once; what fails or is slow gives way to what is smaller, now and at the next start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.agent.engine.protocol import Loaded
from appliance.agent.errors import EngineFailed, EngineQuarantined, EngineStopped
from appliance.agent.plan import Plan
from appliance.agent.settling import Settling, asked
from appliance.agent.types import ModelFile, ModelSpec
from appliance.agent.verdict import MEASURE_S, Verdict, usable
from iamine.ids import ModelId
from iamine.wire.messages import ModelOffer

HERE = Path(__file__)
ORDER = ("large", "medium", "small")  # best first


def spec(name: str, path: Path = HERE) -> ModelSpec:
    return ModelSpec(model=ModelId(name), path=path, file_sha256=name, expected_tps=40.0)


@dataclass
class FakeEngines:
    """Decodes with the speed of `tps`, 30 where it does not say; raises what `bad` says."""

    tps: dict[str, float] = field(default_factory=dict)
    bad: dict[str, EngineFailed] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    now: dict[str, Loaded] = field(default_factory=dict)
    running: int = 0

    async def load(self, spec: ModelSpec) -> ModelOffer:
        self.did.append(f"+{spec.model}{'?' if spec.measure_s else ''}")
        if spec.model in self.bad:
            raise self.bad[spec.model]
        speed = spec.decode_tps or self.tps.get(spec.model, 30.0)
        self.now[spec.file_sha256] = Loaded(
            vocabulary_tokens=1, context_tokens=10, slots=2, prefill_tps=5.0, prefill_tokens=9, decode_tps=speed,
            decode_all_tps=2 * speed if spec.measure_s else 0.0,
        )  # fmt: skip
        return ModelOffer(model=spec.model, file_sha256=spec.file_sha256, slots=2, context_tokens=10, vocabulary_tokens=1)

    def loaded(self, file_sha256: str) -> Loaded | None:
        return self.now.get(file_sha256)

    async def unload(self, file_sha256: str) -> None:
        self.did.append(f"-{file_sha256}")


@dataclass
class FakeBook:
    """Keeps everything, and apart what lasts."""

    known: dict[str, Verdict] = field(default_factory=dict)
    lasting: dict[str, Verdict] = field(default_factory=dict)

    def keep(self, verdict: Verdict, *, lasting: bool = True) -> None:
        self.known[verdict.file_sha256] = verdict
        if lasting:
            self.lasting[verdict.file_sha256] = verdict


def chosen(known: Mapping[str, Verdict], asked_for: str = "") -> Plan:
    able = (asked_for,) if asked_for else usable(known, ORDER)
    return Plan(specs=(spec(able[0]),), reasons=(f"{able[0]}: best",)) if able else Plan(problem="nothing")


def settling(engines: FakeEngines, book: FakeBook, lines: list[str], *, asked_for: str = "") -> Settling:
    def choose(files: Sequence[ModelFile]) -> Plan:
        return chosen(book.known, asked_for)

    return Settling(
        engines=engines, book=book, serving=choose(()).specs, files=(), choose=choose, say=lines.append, now=lambda: 7.0
    )  # fmt: skip


async def test_a_file_is_measured_the_first_time_only() -> None:
    engines, book, lines = FakeEngines(), FakeBook(), list[str]()
    await settling(engines, book, lines).settle()
    await settling(engines, book, lines).settle()
    assert engines.did == ["+large?", "+large"]
    assert (book.lasting["large"].decode_tps, book.lasting["large"].decode_all_tps, book.lasting["large"].at) == (
        30.0,
        60.0,
        7.0,
    )
    assert sum("measured large" in line for line in lines) == 1


async def test_a_slow_model_gives_way_and_is_not_tried_again() -> None:
    engines, book, lines = FakeEngines(tps={"large": 3.1}), FakeBook(), list[str]()
    first = settling(engines, book, lines)
    await first.settle()
    assert [each.model for each in first.serving] == ["medium"]
    await settling(engines, book, lines).settle()
    assert engines.did == ["+large?", "-large", "+medium?", "+medium"]
    assert "stepping down: medium: best" in lines


async def test_a_model_that_does_not_load_gives_way_and_is_not_tried_again() -> None:
    engines, book, lines = FakeEngines(bad={"large": EngineFailed("no memory", hint="h")}), FakeBook(), list[str]()
    await settling(engines, book, lines).settle()
    await settling(engines, book, lines).settle()
    assert engines.did == ["+large?", "-large", "+medium?", "+medium"]
    assert any(line.startswith("large did not load here (no memory); remembered") for line in lines)


async def test_when_all_are_slow_the_fastest_serves() -> None:
    engines, book = FakeEngines(tps={"large": 1.0, "medium": 3.0, "small": 2.0}), FakeBook()
    found = settling(engines, book, [])
    await found.settle()
    assert [each.model for each in found.serving] == ["medium"]
    assert engines.did[-2:] == ["-small", "+medium"]


async def test_when_none_loads_the_last_failure_is_raised() -> None:
    engines = FakeEngines(bad={name: EngineFailed(f"{name} is bad", hint="h") for name in ORDER})
    with pytest.raises(EngineFailed, match="small is bad"):
        await settling(engines, FakeBook(), []).settle()


async def test_what_was_asked_for_stays_slow_or_fails_and_is_tried_again() -> None:
    slow, book = FakeEngines(tps={"large": 1.0}), FakeBook()
    await settling(slow, book, [], asked_for="large").settle()
    assert slow.did == ["+large?"]
    bad = FakeEngines(bad={"large": EngineFailed("no memory", hint="h")})
    for _ in range(2):
        with pytest.raises(EngineFailed, match="no memory"):
            await settling(bad, FakeBook(), [], asked_for="large").settle()
    assert bad.did == ["+large?"] * 2


async def test_what_may_be_otherwise_tomorrow_is_forgotten_with_the_process(tmp_path: Path) -> None:
    gone, error = spec("large", tmp_path / "gone"), EngineFailed("x", hint="h")
    ran = {"large": Verdict(model="large", file_sha256="large", at=1.0, prefill_tps=5.0, decode_tps=30.0, expected_tps=40.0)}
    for book, bad, wanted in (
        (FakeBook(), EngineQuarantined("x", hint="h"), spec("large")),
        (FakeBook(known=ran), error, spec("large")),
        (FakeBook(), error, gone),
    ):
        engines = FakeEngines(bad={"large": bad})
        found = settling(engines, book, [])
        found.serving = (wanted,)
        await found.settle()
        assert [each.model for each in found.serving] == ["medium"]
        assert set(book.lasting) == {"medium"}


async def test_a_worker_that_stops_says_nothing_about_the_file() -> None:
    book = FakeBook()
    with pytest.raises(EngineStopped):
        await settling(FakeEngines(bad={"large": EngineStopped("stopping", hint="h")}), book, []).settle()
    assert book.known == {}


def test_an_embedder_is_not_measured() -> None:
    embedder = ModelSpec(model=ModelId("e"), path=HERE, file_sha256="e", kind="embedding")
    assert asked(embedder, None) == embedder
    assert asked(spec("large"), None).measure_s == MEASURE_S
