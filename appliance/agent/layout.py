"""Where everything stands on a screen of so many columns and rows. Pure: a view becomes rows of styled spans.

The console of a bare Linux machine has the 256 characters of code page 437 and no others, so these are all that is used; where
even they are too much, ASCII. Sections come in a fixed order; what a small screen has no room for is left out by importance.
While nobody has claimed the worker, the code and its QR code stand at the right of a screen that is large enough. Earnings
will be a section here when the pool gives them; the rows that the events take are theirs to use.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from appliance.agent.fit import gigabytes
from appliance.agent.types import Slot
from appliance.agent.view import Claim, Download, Gauge, Problem, View, claim_line, work_line

Style = Literal["", "bold", "dim", "green", "yellow", "red", "cyan", "bold white on black"]
LABEL_COLUMNS = 9
LEAST_COLUMNS, LEAST_ROWS = 20, 4
HEAD_ROWS = 2
BESIDE_COLUMNS = 40  # what the facts need at least beside the QR code
CELL_COLUMNS = 38  # of one slot: two side by side on 80 columns
BAR_COLUMNS = 20
CHART_ROWS = 6
WHY_LINES = 3
SCALE_COLUMNS = 7
RULED_COLUMNS = len("-  in a minute -")
TYPOGRAPHY = str.maketrans({"\u2026": "...", "\u2013": "-", "\u2014": "-", "\u2019": "'", "\u2018": "'", "\u00d7": "x"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """The characters to draw with, all in `charset` (a codec's name)."""

    charset: str
    rule: str
    full: str
    half: str
    empty: str
    degree: str


CONSOLE = Glyphs(charset="cp437", rule="\u2500", full="\u2588", half="\u2584", empty="\u2591", degree="\u00b0")
ASCII = Glyphs(charset="ascii", rule="-", full="#", half="=", empty=".", degree=" ")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a row in one style."""

    text: str
    style: Style = ""


Row = tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the screen that can be drawn in `least` to `most` rows; `rank` 0 is the last to be left out."""

    rank: int
    least: int
    most: int
    rows: Callable[[int], Sequence[Row]]


def draw(view: View, *, columns: int, rows: int, clock: str, glyphs: Glyphs = CONSOLE) -> tuple[Row, ...]:
    """Exactly `rows` rows of at most `columns` characters; `clock` is the time of day as it is to be shown."""
    columns, room = max(LEAST_COLUMNS, columns), max(LEAST_ROWS, rows)
    panel = _panel(view.claim, columns, room, glyphs)
    left = columns - 1 - len(text_of(panel[0])) if panel else columns
    sections = (
        _head(view, columns, clock, glyphs),
        _facts(view, left, glyphs, claimed=bool(panel)),
        _slots(view, left, glyphs),
        _hour(view, left, glyphs),
        _problems(view, left, glyphs),
        _events(view, left, glyphs),
    )
    shares = share(sections, room)
    drawn = [row for section, count in zip(sections, shares, strict=True) if count for row in section.rows(count)]
    drawn += [()] * (room - len(drawn))
    for number, row in enumerate(panel, start=HEAD_ROWS):
        drawn[number] = (*cut(drawn[number], left), Span(" " * (left + 1 - len(text_of(cut(drawn[number], left))))), *row)
    return tuple(cut(_clean(row, glyphs), columns) for row in drawn[: max(0, rows)])


def share(sections: Sequence[Section], room: int) -> list[int]:
    """Rows for each section: first the least of each by rank, then as much as is wanted by rank; 0 leaves it out."""
    shares = [0] * len(sections)
    order = sorted(range(len(sections)), key=lambda index: sections[index].rank)
    for index in order:
        if sections[index].least <= room:
            shares[index] = sections[index].least
            room -= shares[index]
    for index in order:
        if shares[index]:
            more = min(room, sections[index].most - shares[index])
            shares[index] += more
            room -= more
    return shares


def text_of(row: Row) -> str:
    """The row without its styles."""
    return "".join(span.text for span in row)


def cut(row: Row, columns: int) -> Row:
    """At most so many characters of it."""
    kept: list[Span] = []
    for span in row:
        if columns <= 0:
            break
        kept.append(Span(span.text[:columns], span.style))
        columns -= len(span.text)
    return tuple(kept)


def bar(part: float, columns: int, glyphs: Glyphs) -> str:
    """A bar that is filled to `part` (0 to 1)."""
    filled = round(min(1.0, max(0.0, part)) * columns)
    return glyphs.full * filled + glyphs.empty * (columns - filled)


def span_of_time(seconds: float | None) -> str:
    """A time to wait: `3 h 05 min`, `12 min`, `40 s`, or `?`."""
    if seconds is None or seconds > 100 * 3600:
        return "?"
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole // 60 % 60:02d} min"
    return f"{whole // 60} min" if whole >= 120 else f"{whole} s"


# ---- sections ------------------------------------------------------------------------------------------------------------


def _head(view: View, columns: int, clock: str, glyphs: Glyphs) -> Section:
    state = view.state or ("working" if view.running else "ready" if view.light == "green" else "")
    name = " IAMINE worker"
    gap = columns - len(name) - len(clock) - 1
    row = (Span(name, "bold"), Span(f"  {state}"[:gap].ljust(gap), "yellow" if view.state else "green"), Span(clock, "dim"))
    return Section(rank=0, least=HEAD_ROWS, most=HEAD_ROWS, rows=lambda count: [row, (Span(glyphs.rule * columns, "dim"),)])


def _panel(claim: Claim | None, columns: int, rows: int, glyphs: Glyphs) -> list[Row]:
    """The QR code with its code and address, as rows of equal width; none where there is no room or nothing to scan."""
    if claim is None or not claim.qr or glyphs is not CONSOLE or columns < BESIDE_COLUMNS + 1 + len(claim.qr[0]):
        return []
    width = len(claim.qr[0])
    said = [f" code {claim.code}", *(f" {line}" for line in textwrap.wrap(f"at {claim.page}", width - 1))]
    panel: list[Row] = [_rule("claim this worker", width, glyphs)]
    panel += [(Span(line, "bold white on black"),) for line in claim.qr]
    panel += [(Span(line[:width].ljust(width), "bold" if line is said[0] else ""),) for line in said]
    return panel if HEAD_ROWS + len(panel) <= rows else []


def _facts(view: View, columns: int, glyphs: Glyphs, *, claimed: bool) -> Section:
    facts = tuple(_listed(view, columns, glyphs, claimed=claimed))

    def rows(count: int) -> Sequence[Row]:
        spare, drawn = count - len(facts), list[Row]()
        for fact in facts:
            kept = 1 + min(len(fact) - 1, max(0, spare))
            drawn += fact if kept == len(fact) else [*fact[: kept - 1], (*cut(fact[kept - 1], columns - 4), Span(" ..."))]
            spare -= kept - 1
        return drawn[:count]

    return Section(rank=1, least=min(len(facts), 6), most=sum(map(len, facts)), rows=rows)


def _listed(view: View, columns: int, glyphs: Glyphs, *, claimed: bool) -> Sequence[Sequence[Row]]:
    """The facts in their order, each in its rows; `claimed`: how to claim it stands elsewhere."""

    def fact(label: str, said: str, style: Style = "", most: int = 2) -> list[Row]:
        lines = textwrap.wrap(said, columns - LABEL_COLUMNS - 1, max_lines=most, placeholder=" ...") or [""]
        names = [label, *[""] * (len(lines) - 1)]
        return [(Span(f" {name:<{LABEL_COLUMNS}}", "bold"), Span(line, style)) for name, line in zip(names, lines, strict=True)]

    models = [f"{each.model}, {each.slots} x {each.context_tokens} tokens" for each in view.models]
    found = [fact("pool", view.link, view.light)]
    found.append(fact("model", "; ".join(models) or "none is loaded yet", "" if models else "yellow"))
    if view.state:
        found.append(fact("rest", view.state, "yellow"))
    if view.download:
        found.append(fact("fetch", fetch_line(view.download, columns, glyphs), "cyan"))
    found.append(fact("work", work_line(view.running, view.jobs_done, view.jobs_failed, view.tokens, view.rate_tps)))
    if view.claim and not claimed:
        found.append(fact("claim" if view.claim.code else "owner", claim_line(view.claim), "bold" if view.claim.code else ""))
    if view.course:
        found.append(fact("demand", view.course))
    if view.standing:
        found.append(fact("waits", view.standing))
    if view.machine:
        found.append(fact("machine", view.machine))
    if view.why:
        found.append(fact("why", "; ".join(view.why), "dim", WHY_LINES))
    if view.gauges:
        found.append(fact("sensors", gauge_line(view.gauges, glyphs)))
    return found


def fetch_line(download: Download, columns: int, glyphs: Glyphs) -> str:
    """How far it is, with a bar where there is room for one."""
    part = download.done_bytes / max(1, download.total_bytes)
    told = f"{int(100 * part)} % of {gigabytes(download.total_bytes)}, {gigabytes(download.bytes_per_s)}/s"
    told = f"{told}, {span_of_time(download.left_s)} left"
    drawn = bar(part, BAR_COLUMNS, glyphs) + " " if columns >= LABEL_COLUMNS + BAR_COLUMNS + len(told) + 2 else ""
    return f"{drawn}{told}: {download.title}"


def gauge_line(gauges: Sequence[Gauge], glyphs: Glyphs) -> str:
    """`CPU 61 \u00b0C 35 W, GPU 72 \u00b0C 142 W`."""
    told = []
    for gauge in gauges:
        heat = [] if gauge.celsius is None else [f"{gauge.celsius:.0f} {glyphs.degree}C".replace("  ", " ")]
        told.append(" ".join([gauge.name, *heat, *([] if gauge.watts is None else [f"{gauge.watts:.0f} W"])]))
    return ", ".join(told)


def _slots(view: View, columns: int, glyphs: Glyphs) -> Section:
    beside = max(1, columns // CELL_COLUMNS)
    width = columns // beside
    cells = [_cell(number, slot, view.slots, width, glyphs) for number, slot in enumerate(view.slots, start=1)]
    lines = [tuple(span for cell in cells[start : start + beside] for span in cell) for start in range(0, len(cells), beside)]
    free = sum(each.slots for each in view.models) - len(view.slots)
    idle: Row = (Span(" nothing runs now", "dim"),)
    title = _rule(f"slots: {len(view.slots)} busy, {max(0, free)} free", columns, glyphs)

    def rows(count: int) -> Sequence[Row]:
        shown = lines or [idle]
        if len(shown) > count - 1:
            rest = view.slots[(count - 2) * beside :]
            said = f" {len(rest)} {'more ' if count > 2 else ''}at {sum(slot.rate_tps for slot in rest):.1f} t/s together"
            shown = [*shown[: count - 2], (Span(said, "cyan"),)]
        return [title, *shown]

    return Section(rank=3, least=2, most=1 + max(1, len(lines)), rows=rows)


def _cell(number: int, slot: Slot, among: Sequence[Slot], width: int, glyphs: Glyphs) -> Row:
    """One answer: its number, model, tokens, speed and a bar beside the fastest of them."""
    fastest = max(each.rate_tps for each in among)
    speed = f"{slot.rate_tps:6.1f} t/s" if slot.rate_tps else "   reading"
    left = max(0, width - 4 - 6 - len(speed) - 8)
    name = slot.model[:left].ljust(left)
    drawn = bar(slot.rate_tps / fastest if fastest else 0.0, 6, glyphs)
    return (Span(f"{number:3d} ", "dim"), Span(f"{name}{slot.tokens:6d}"), Span(f"{speed} ", "cyan"), Span(f"{drawn} ", "cyan"))


def _hour(view: View, columns: int, glyphs: Glyphs) -> Section:
    peak = max(view.hour_tps, default=0.0)
    if not peak:
        none = _rule("the last hour: no tokens", columns, glyphs)
        return Section(rank=4, least=1, most=1, rows=lambda count: [none])
    said = f"the last hour: up to {peak:.1f} tokens/s"
    title = _rule(f"{said} in a minute" if len(said) + RULED_COLUMNS <= columns else said, columns, glyphs)

    def rows(count: int) -> Sequence[Row]:
        lines = chart(view.hour_tps, columns - SCALE_COLUMNS - 2, count - 1, glyphs)
        scale = [f"{peak:.0f}" if peak >= 10 else f"{peak:.1f}", *[""] * (len(lines) - 1)]
        if len(lines) > 1:
            scale[-1] = "0"
        marks = [Span(f"{mark:>{SCALE_COLUMNS - 1}} ", "dim") for mark in scale]
        return [title, *((mark, Span(line, "green")) for mark, line in zip(marks, lines, strict=True))]

    return Section(rank=4, least=2, most=1 + CHART_ROWS, rows=rows)


def chart(values: Sequence[float], columns: int, rows: int, glyphs: Glyphs) -> list[str]:
    """Bars of `rows` rows, the newest at the right; each value as wide as fits, or several averaged."""
    columns, rows = max(1, columns), max(1, rows)
    many = -(-len(values) // columns) or 1
    grouped = [values[max(0, end - many) : end] for end in range(len(values), 0, -many)][::-1]
    means = [sum(group) / len(group) for group in grouped]
    peak, wide = max(means, default=0.0), max(1, columns // max(1, len(means)))
    halves = [max(1, round(mean / peak * rows * 2)) if mean > 0 else 0 for mean in means]
    drawn = []
    for row in range(rows - 1, -1, -1):
        marks = (glyphs.full if high >= 2 * row + 2 else glyphs.half if high == 2 * row + 1 else " " for high in halves)
        drawn.append("".join(mark * wide for mark in marks))
    return drawn


def _problems(view: View, columns: int, glyphs: Glyphs) -> Section:
    newest = list(reversed(view.problems))
    told = [row for problem in newest for row in _problem(problem, columns)]
    title = _rule("problems", columns, glyphs)
    return Section(
        rank=2 if told else 9,
        least=min(3, 1 + len(told)) if told else 0,
        most=1 + len(told) if told else 0,
        rows=lambda count: [title, *told[: count - 1]],
    )


def _problem(problem: Problem, columns: int) -> Sequence[Row]:
    """What went wrong, and below it what to do."""
    width = columns - 8
    first: Row = (Span(f" {problem.at} ", "dim"), Span(textwrap.shorten(problem.text, width, placeholder=" ..."), "red"))
    if not problem.advice:
        return [first]
    advice = textwrap.wrap(f"do: {problem.advice}", width, max_lines=2, placeholder=" ...")
    return [first, *((Span(" " * 7), Span(line)) for line in advice)]


def _events(view: View, columns: int, glyphs: Glyphs) -> Section:
    title = _rule("lately", columns, glyphs)
    lines: list[Row] = [(Span(f" {line.at} ", "dim"), Span(line.text)) for line in view.lines]
    most = 1 + len(lines) if lines else 0
    return Section(rank=5, least=min(most, 2), most=most, rows=lambda count: [title, *lines[len(lines) - count + 1 :]])


# ---- inside ----------------------------------------------------------------------------------------------------------------


def _rule(title: str, columns: int, glyphs: Glyphs) -> Row:
    said = f"{glyphs.rule} {title} "
    return (Span(said, "dim"), Span(glyphs.rule * max(0, columns - len(said)), "dim"))


def _clean(row: Row, glyphs: Glyphs) -> Row:
    """Only characters that the screen has, and none that commands it: names and reasons come from outside."""
    return tuple(Span(clean(span.text, glyphs.charset), span.style) for span in row)


def clean(text: str, charset: str) -> str:
    """The text in this character set; what it lacks is a question mark."""
    plain = "".join(each if each.isprintable() else "?" for each in text.translate(TYPOGRAPHY))
    return plain.encode(charset, "replace").decode(charset)
