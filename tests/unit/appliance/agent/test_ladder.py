"""The steps of the watchdog: every pair has an answer, no step is left out, and nobody's server is rebooted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.ladder import (
    CALM_S,
    REBOOTS,
    REBOOTS_S,
    TABLE,
    TAKES_TO,
    Event,
    Facts,
    Measure,
    Record,
    Rung,
    is_calm,
    possible,
    step,
    suspect,
)

NOW = 1_800_000_000.0
APPLIANCE = Facts(now=NOW, gpus=("a", "b"), blamed="b", supervised=True, may_reboot=True)
LAPTOP = Facts(now=NOW)
events = st.sampled_from(Event)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    gpus = draw(st.sampled_from([(), ("a",), ("a", "b")]))
    blamed = draw(st.sampled_from([*gpus, ""]))
    return Facts(now=0.0, gpus=gpus, blamed=blamed, supervised=draw(st.booleans()), may_reboot=draw(st.booleans()))


def climbed(event: Event, facts: Facts, times: int, every_s: float = 7200.0) -> list[Measure]:
    record, done = Record(), []
    for number in range(times):
        record, measure = step(record, event, replace(facts, now=NOW + number * every_s))
        done.append(measure)
    return done


def test_every_rung_knows_what_to_do_about_every_event() -> None:
    assert set(TABLE) == {(rung, event) for rung in Rung for event in Event}
    assert set(TAKES_TO.values()) == set(Rung)


@pytest.mark.parametrize("row", TABLE)
def test_the_last_measure_of_a_row_is_always_possible(row: tuple[Rung, Event]) -> None:
    assert possible(TABLE[row][-1], Record(rung=row[0]), LAPTOP)
    assert all(not possible(each, Record(rung=row[0]), LAPTOP) for each in TABLE[row][:-1])


def test_on_the_appliance_trouble_climbs_step_by_step() -> None:
    assert climbed(Event.GPU_TROUBLE, APPLIANCE, 8) == [
        Measure.LEAVE_GPU_OUT,
        Measure.RESTART_AGENT,
        Measure.REBOOT,
        Measure.REBOOT,
        Measure.REBOOT,
        Measure.SAFE_MODE,
        Measure.SAFE_MODE,
        Measure.SAFE_MODE,
    ]


def test_a_reboot_that_comes_too_soon_after_another_is_not_done() -> None:
    assert climbed(Event.GPU_TROUBLE, APPLIANCE, 4, every_s=60.0)[2:] == [Measure.REBOOT, Measure.SAFE_MODE]


def test_a_server_is_not_rebooted_and_a_laptop_restarts_nothing() -> None:
    server = replace(APPLIANCE, may_reboot=False)
    assert climbed(Event.GPU_TROUBLE, server, 3) == [Measure.LEAVE_GPU_OUT, Measure.RESTART_AGENT, Measure.SAFE_MODE]
    laptop = replace(server, supervised=False)
    assert climbed(Event.GPU_TROUBLE, laptop, 2) == [Measure.LEAVE_GPU_OUT, Measure.SAFE_MODE]


def test_an_agent_that_can_load_nothing_starts_anew_then_the_machine_then_it_waits() -> None:
    assert climbed(Event.IDLE, APPLIANCE, 6) == [Measure.RESTART_AGENT, *[Measure.REBOOT] * 3, Measure.WAIT, Measure.WAIT]
    assert climbed(Event.IDLE, LAPTOP, 2) == [Measure.WAIT] * 2


def test_what_only_a_file_is_to_blame_for_is_no_step() -> None:
    after, measure = step(Record(), Event.FILE_TROUBLE, APPLIANCE)
    assert (measure, after.rung) == (Measure.QUARANTINE_FILE, Rung.ENGINE)


def test_the_device_is_remembered_until_the_machine_starts_anew() -> None:
    record, _ = step(Record(), Event.GPU_TROUBLE, APPLIANCE)
    assert record.out == ("b",)
    record, _ = step(record, Event.GPU_TROUBLE, APPLIANCE)
    assert (record.rung, record.out) == (Rung.AGENT, ("b",))
    record, _ = step(record, Event.GPU_TROUBLE, APPLIANCE)
    assert (record.rung, record.out, record.reboots) == (Rung.REBOOT, (), (NOW,))


def test_a_calm_day_forgives_everything_but_the_reboots() -> None:
    record = Record(rung=Rung.SAFE, trouble_at=NOW - CALM_S, out=("b",), reboots=(NOW - 60.0,))
    assert is_calm(record, NOW) and not is_calm(record, NOW - 1.0) and not is_calm(Record(), NOW)
    after, measure = step(record, Event.CALM, APPLIANCE)
    assert measure is Measure.FORGET
    assert after == Record(trouble_at=NOW - CALM_S, reboots=(NOW - 60.0,))


@given(st.lists(st.tuples(events, facts(), st.floats(0, 4 * 3600)), max_size=60))
def test_never_more_reboots_than_allowed_in_a_day_and_never_one_where_it_may_not(
    story: list[tuple[Event, Facts, float]],
) -> None:
    record, now, reboots = Record(), NOW, list[float]()
    for event, seen, later_s in story:
        now += later_s
        record, measure = step(record, event, replace(seen, now=now))
        if measure is Measure.REBOOT:
            assert seen.may_reboot
            reboots.append(now)
        assert len([each for each in reboots if now - each < REBOOTS_S]) <= REBOOTS
        assert len(record.reboots) <= REBOOTS
        assert measure is not Measure.RESTART_AGENT or seen.supervised
        assert measure is not Measure.LEAVE_GPU_OUT or record.out[-1] == seen.blamed in seen.gpus


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("CUDA error: an illegal memory access on NVIDIA A", "0000:01:00.0"),
        ("device 0000:02:00.0 is lost", "0000:02:00.0"),
        ("segmentation fault", "0000:02:00.0"),
        ("", "0000:02:00.0"),
    ],
)
def test_the_device_that_the_last_words_name_is_blamed_else_the_last(words: str, place: str) -> None:
    assert suspect(words, [("0000:01:00.0", "NVIDIA A"), ("0000:02:00.0", "AMD B")]) == place


def test_without_devices_nobody_is_blamed() -> None:
    assert suspect("words", []) == ""
