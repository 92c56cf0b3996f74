"""Values, JSON and bytes made wrong on purpose: each by a seeded generator, so that a run can be had again."""

import json
from random import Random
from typing import Any

DEEP = 20_000
NASTY_TEXTS = (
    "",
    "\0",
    " ",
    "\x1b[2J\x1b]0;owned\x07",
    "\ud800",
    "\ufdd0",
    "\u202e",
    "a\r\nb: c",
    "x" * 70_000,
    "🜚" * 300,
    "../..",
    "%s%n",
)
NASTY_NUMBERS = (
    0,
    -1,
    1,
    2,
    255,
    2**31 - 1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63),
    10**30,
    0.5,
    -0.0,
    5e-324,
    1.7e308,
)
NASTY_LISTS: tuple[Any, ...] = ([], [[]], [None], {}, {"": None}, [0] * 5000, [{}] * 200, ["x" * 100] * 300)
RAW = ("NaN", "1e999", "-Infinity", "[" * DEEP, '{"a":' * 1000, '"\\ud800"', "01", '"\\x00"', "")
_HOLE = "\x00hole\x00"


def nasty(draw: Random) -> Any:
    """Something that the other side does not expect here."""
    kind = draw.randrange(8)
    if kind == 0:
        return draw.choice((None, True, False))
    if kind <= 3:
        return draw.choice(NASTY_NUMBERS)
    return draw.choice(NASTY_TEXTS if kind <= 5 else NASTY_LISTS)


def mutate(draw: Random, value: Any) -> Any:
    """A copy with one node replaced, taken away, doubled or moved."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        key = draw.choice(list(value))
        changed = dict(value)
        match draw.randrange(6):
            case 0:
                del changed[key]
            case 1:
                changed[draw.choice(NASTY_TEXTS)[:50]] = changed[key]
            case 2:
                changed[key] = changed[draw.choice(list(value))]
            case _:
                changed[key] = mutate(draw, value[key])
        return changed
    if isinstance(value, list) and value and draw.random() < 0.8:
        at = draw.randrange(len(value))
        match draw.randrange(4):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return value[: at + 1] * draw.choice((2, 50)) + value[at + 1 :]
            case _:
                return [*value[:at], mutate(draw, value[at]), *value[at + 1 :]]
    return nasty(draw)


def lie(draw: Random, value: Any) -> Any:
    """A copy of the same form in which one leaf says something impossible, or one list is too long or too short."""
    match value:
        case dict() if value:
            key = draw.choice(list(value))
            return value | {key: lie(draw, value[key])}
        case list() if value and draw.random() < 0.7:
            at = draw.randrange(len(value))
            return [*value[:at], lie(draw, value[at]), *value[at + 1 :]]
        case list():
            return value * draw.choice((0, 2, 3, 500))
        case bool() | None:
            return not value
        case int():
            return draw.choice([number for number in NASTY_NUMBERS if isinstance(number, int)])
        case float():
            return draw.choice(NASTY_NUMBERS)
        case str():
            return draw.choice(NASTY_TEXTS)
        case _:
            return value


def dumped(draw: Random, value: Any) -> bytes:
    """The value as JSON, sometimes with a hole filled by what is no JSON at all."""
    if draw.random() < 0.06:
        text = json.dumps(_with_hole(draw, value))
        return text.replace(json.dumps(_HOLE), draw.choice(RAW), 1).encode()
    return json.dumps(value, ensure_ascii=draw.random() < 0.8).encode("utf-8", "surrogatepass")


def _with_hole(draw: Random, value: Any) -> Any:
    if isinstance(value, dict) and value:
        key = draw.choice(list(value))
        return value | {key: _with_hole(draw, value[key])}
    return _HOLE


def damaged(draw: Random, data: bytes) -> bytes:
    """The bytes with a few changed, cut, doubled, or exchanged for noise."""
    if not data:
        return draw.randbytes(8)
    at = draw.randrange(len(data))
    return draw.choice(
        (data[:at], data[:at] + draw.randbytes(3) + data[at + 3 :], data[:at] + data, data[at:], draw.randbytes(20), data * 2)
    )


def spoilt(draw: Random, value: Any, *, times: int = 2) -> bytes:
    """JSON of the value after a lie, or a mutation or two; some of it is damaged as bytes too."""
    if draw.random() < 0.6:
        return json.dumps(lie(draw, value)).encode()
    for _ in range(draw.randint(1, times)):
        value = mutate(draw, value)
    data = dumped(draw, value)
    return damaged(draw, data) if draw.random() < 0.1 else data
