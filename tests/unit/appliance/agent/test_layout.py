"""The picture on screens of all sizes: nothing but the console's characters, never wider or higher than the screen."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.layout import (
    ASCII,
    CONSOLE,
    Glyphs,
    Section,
    Span,
    bar,
    chart,
    clean,
    cut,
    draw,
    gauge_line,
    share,
    span_of_time,
    text_of,
)
from appliance.agent.qr import half_blocks
from appliance.agent.types import Slot
from appliance.agent.view import Claim, Download, Gauge, Line, Problem, Served, View

IDLE = View(link="not linked yet")
BUSY = View(
    machine="AMD Ryzen 7 5700U, 8 cores usable, 12.1 GB of 16.0 GB memory free; NVIDIA GeForce RTX 3060, 12.0 GB",
    models=(Served(model="large-8b", kind="chat", slots=4, context_tokens=16384),),
    why=("large-8b: needs 6.8 GB at 4 x 16384 tokens, have 11.2 GB, about 61 tokens/s; the next larger needs 17.1 GB",),
    link="linked to home as wrk_1",
    light="green",
    download=Download(title="large-14b", done_bytes=3 * 10**9, total_bytes=9 * 10**9, bytes_per_s=12e6),
    slots=(Slot(model="large-8b", tokens=1234, rate_tps=61.2), Slot(model="large-8b", tokens=0, rate_tps=0.0)),
    running=2,
    jobs_done=7,
    tokens=44_444,
    rate_tps=61.2,
    hour_tps=(*(0.0,) * 30, *(float(each) for each in range(30))),
    gauges=(Gauge(name="CPU", celsius=61.4), Gauge(name="GPU", celsius=72.0, watts=142.3)),
    problems=tuple(Problem(at=f"20:0{n}", text=f"trouble {n}", advice=f"remedy {n}") for n in range(3)),
    lines=tuple(Line(at=f"20:00:{n:02d}", text=f"event {n}") for n in range(40)),
)
FULL_80 = """\
 IAMINE worker  working                                                   21:03
\u2500 (80)
 pool     linked to home as wrk_1
 model    large-8b, 4 x 16384 tokens
 fetch    BAR 33 % of 9.0 GB, 12 MB/s, 8 min left: large-14b
 work     2 running, 7 done, 44444 tokens, 61.2 tokens/s
"""


def lines(view: View, columns: int, rows: int, glyphs: Glyphs = CONSOLE) -> list[str]:
    return [text_of(row) for row in draw(view, columns=columns, rows=rows, clock="21:03", glyphs=glyphs)]


@pytest.mark.parametrize(
    ("columns", "rows", "shown", "left_out"),
    [
        (
            80,
            25,
            ["pool", "model", "fetch", "work", "machine", "why", "sensors", "slots", "hour", "problems", "do: remedy 2"],
            [],
        ),
        (40, 12, ["pool", "model", "fetch", "work", "machine", "problems", "trouble 2"], ["lately", "the last hour"]),
        (200, 60, ["slots", "hour", "do: remedy 0", "lately", "event 39", "event 15"], []),
        (20, 4, ["IAMINE"], ["problems"]),
    ],
)
@pytest.mark.parametrize("glyphs", [CONSOLE, ASCII], ids=["console", "ascii"])
def test_what_is_shown_on_a_screen_of_this_size(
    columns: int, rows: int, shown: list[str], left_out: list[str], glyphs: Glyphs
) -> None:
    drawn = lines(BUSY, columns, rows, glyphs)
    assert len(drawn) == rows
    assert max(map(len, drawn)) <= columns
    "\n".join(drawn).encode(glyphs.charset)
    said = "\n".join(drawn)
    assert [part for part in shown if part not in said] == []
    assert [part for part in left_out if part in said] == []


def test_the_first_rows_at_80_columns() -> None:
    wanted = [row.replace("BAR", "\u2588" * 7 + "\u2591" * 13) for row in FULL_80.splitlines()]
    wanted[1] = CONSOLE.rule * 80
    assert [row.rstrip() for row in lines(BUSY, 80, 25)[:6]] == wanted


@given(
    columns=st.integers(1, 300),
    rows=st.integers(0, 100),
    text=st.text(max_size=80),
    slots=st.lists(st.floats(0, 1e4), max_size=70),
    hour=st.lists(st.floats(0, 1e6), max_size=60),
    count=st.integers(0, 3),
)
def test_any_view_fits_any_screen_and_commands_no_terminal(
    columns: int, rows: int, text: str, slots: list[float], hour: list[float], count: int
) -> None:
    view = View(
        machine=text,
        models=(Served(model=text, kind="chat", slots=8, context_tokens=1),) * count,
        why=(text,) * count,
        link=text,
        state=text[:count],
        standing=text,
        download=Download(title=text, done_bytes=1, total_bytes=0) if count else None,
        slots=tuple(Slot(model=text, tokens=5, rate_tps=rate) for rate in slots),
        hour_tps=tuple(hour),
        problems=(Problem(at="20:00", text=text, advice=text),) * count,
        lines=(Line(at="20:00:00", text=text),) * count,
    )
    drawn = lines(view, columns, rows)
    assert len(drawn) == rows
    assert all(len(row) <= max(20, columns) and row.isprintable() for row in drawn)
    "\n".join(drawn).encode("cp437")


def test_an_idle_machine_shows_no_empty_sections() -> None:
    said = "\n".join(lines(IDLE, 80, 25))
    assert "nothing runs now" in said and "none is loaded yet" in said and "no tokens" in said
    assert all(absent not in said for absent in ("problems", "lately", "sensors", "fetch", "waits"))


def test_what_has_no_room_says_so() -> None:
    crowd = replace(BUSY, slots=(Slot(model="m", tokens=1, rate_tps=1.0),) * 40, problems=(), lines=())
    assert any("more at" in row for row in lines(crowd, 80, 25))
    assert " 40 at 40.0 t/s together" in lines(crowd, 40, 12)
    assert any(row.endswith(" ...") for row in lines(BUSY, 40, 12))


def test_why_no_job_comes_and_a_problem_without_advice_are_shown() -> None:
    drawn = lines(replace(IDLE, standing="others' turn", problems=(Problem(at="20:00", text="odd"),)), 80, 25)
    assert " waits    others' turn" in drawn and " 20:00 odd" in drawn


def test_a_rest_is_named_in_the_head_and_below() -> None:
    drawn = lines(replace(BUSY, state="paused by its owner"), 80, 25)
    assert "paused by its owner" in drawn[0] and any(row.startswith(" rest") for row in drawn)


def test_a_chart_of_an_hour_has_half_steps_and_the_newest_at_the_right() -> None:
    assert chart((0.0, 1.0, 2.0, 4.0), 4, 2, CONSOLE) == ["   \u2588", " \u2584\u2588\u2588"]
    assert chart((0.0, 1.0, 2.0, 4.0), 9, 2, ASCII) == ["      ##", "  ==####"]
    assert chart((0.0, 0.0, 4.0, 4.0), 2, 1, ASCII) == [" #"]
    assert chart((), 5, 2, ASCII) == ["", ""]
    assert chart((0.001, 1000.0), 2, 1, ASCII) == ["=#"]


def test_rows_go_by_rank_first_the_least_then_more() -> None:
    def section(rank: int, least: int, most: int) -> Section:
        return Section(rank=rank, least=least, most=most, rows=lambda count: [])

    assert share([section(1, 2, 9), section(0, 2, 3)], 10) == [7, 3]
    assert share([section(1, 5, 9), section(0, 2, 3)], 4) == [0, 3]
    assert share([section(0, 0, 0), section(1, 1, 2)], 5) == [0, 2]


def test_texts_from_outside_are_made_harmless() -> None:
    assert clean("a\x1b[31m\u2026\u65e5\u00fc", "cp437") == "a?[31m...?\u00fc"
    assert clean("\u00fc", "ascii") == "?"
    assert cut((Span("abc"), Span("def")), 3) == (Span("abc"),)
    assert cut((Span("abc"), Span("def")), 4) == (Span("abc"), Span("d"))


def test_times_and_sensors_in_words() -> None:
    assert [span_of_time(each) for each in (None, 40, 119, 720, 11_100, 1e9)] == [
        "?",
        "40 s",
        "119 s",
        "12 min",
        "3 h 05 min",
        "?",
    ]
    assert gauge_line(BUSY.gauges, CONSOLE) == "CPU 61 \u00b0C, GPU 72 \u00b0C 142 W"
    assert gauge_line((Gauge(name="machine", watts=9.6), Gauge(name="CPU", celsius=50)), ASCII) == "machine 10 W, CPU 50 C"
    assert bar(0.5, 4, ASCII) == "##.." and bar(7, 2, ASCII) == "##"


CLAIM = Claim(code="7KQ4-M2XN", page="http://192.168.1.5:8000/claim", qr=half_blocks("http://192.168.1.5:8000/claim#7KQ4-M2XN"))


def test_the_qr_code_stands_beside_the_facts_until_somebody_has_claimed_it() -> None:
    drawn = lines(replace(BUSY, claim=CLAIM), 80, 25)
    assert max(map(len, drawn)) == 80 and len(drawn) == 25
    assert [row[-33:] for row in drawn[3:20]] == list(CLAIM.qr)
    assert drawn[20].endswith(" code 7KQ4-M2XN".ljust(33)) and "at http://192.168.1.5:8000/claim" in drawn[21]
    assert " pool     linked to home" in drawn[2], "the facts stand at its left"
    claimed = "\n".join(lines(replace(BUSY, claim=Claim(owner="Ann")), 80, 25))
    assert " owner    claimed by Ann" in claimed and "claim this worker" not in claimed


@pytest.mark.parametrize(("columns", "rows", "glyphs"), [(73, 25, CONSOLE), (80, 21, CONSOLE), (80, 25, ASCII)])
def test_where_the_qr_code_has_no_room_the_code_is_a_fact(columns: int, rows: int, glyphs: Glyphs) -> None:
    said = "\n".join(lines(replace(IDLE, claim=CLAIM), columns, rows, glyphs))
    assert " claim    7KQ4-M2XN at http://192.168.1.5:8000/claim" in said and "claim this worker" not in said


def test_what_was_made_of_the_demand_is_a_fact() -> None:
    assert " demand   stays: nothing is lacking" in "\n".join(lines(replace(IDLE, course="stays: nothing is lacking"), 80, 25))


@pytest.mark.parametrize(("columns", "is_whole"), [(80, True), (46, False)])
def test_a_title_that_does_not_fit_says_less_instead_of_being_cut(columns: int, is_whole: bool) -> None:
    rows = [text_of(row) for row in draw(BUSY, columns=columns, rows=60, clock="21:09")]
    (title,) = (row for row in rows if "the last hour" in row)
    assert ("in a minute" in title) is is_whole
    assert title.rstrip(CONSOLE.rule + " ").endswith("in a minute" if is_whole else "tokens/s")
