"""What is done about engines that die again and again, in steps: a table and one `step`. Pure.

An engine is started anew -> one graphics device is left out -> the agent starts anew -> the machine does, with pauses ->
only the processor is used. What a file alone is to blame for is no step: the file is quarantined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

CALM_S = 24 * 3600.0  # without trouble: everything is tried anew, devices that were left out, too
REBOOTS = 3  # within REBOOTS_S; then the processor has to do
REBOOTS_S = 24 * 3600.0
MAX_OUT = 16  # places that are remembered; a machine that has more devices remembers the last ones
REBOOT_PAUSES_S = (0.0, 600.0, 3600.0)  # since the reboot before


class Rung(Enum):
    """The last measure that was taken."""

    ENGINE = "engine"
    GPU = "gpu"
    AGENT = "agent"
    REBOOT = "reboot"
    SAFE = "safe"


class Event(Enum):
    """What happened."""

    DIED = "died"  # an engine, and not yet too often
    GPU_TROUBLE = "gpu trouble"  # engines on graphics devices died too often
    FILE_TROUBLE = "file trouble"  # engines on the processor died too often
    IDLE = "idle"  # nothing can be loaded
    CALM = "calm"  # CALM_S without any of these


class Measure(Enum):
    """What is done."""

    RESTART_ENGINE = "start the engine anew"
    QUARANTINE_FILE = "quarantine the file"
    LEAVE_GPU_OUT = "leave a graphics device out"
    RESTART_AGENT = "start the agent anew"
    REBOOT = "start the machine anew"
    SAFE_MODE = "use the processor only"
    FORGET = "try everything anew"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What must outlive a restart; times are seconds since 1970. `out`: places of devices that are left out."""

    rung: Rung = Rung.ENGINE
    trouble_at: float = 0.0
    out: tuple[str, ...] = ()
    reboots: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The machine now. `gpus`: places of the devices in use, `blamed`: the one to suspect, "" for none.

    `supervised`: somebody starts an agent that ends anew. `may_reboot`: this machine is the appliance's own.
    """

    now: float
    gpus: tuple[str, ...] = ()
    blamed: str = ""
    supervised: bool = False
    may_reboot: bool = False


_R, _E, _M = Rung, Event, Measure

# The first measure that is possible is taken; the last of each row always is.
TABLE: Mapping[tuple[Rung, Event], tuple[Measure, ...]] = {
    **{(rung, _E.DIED): (_M.RESTART_ENGINE,) for rung in Rung},
    **{(rung, _E.FILE_TROUBLE): (_M.QUARANTINE_FILE,) for rung in Rung},
    (_R.ENGINE, _E.GPU_TROUBLE): (_M.LEAVE_GPU_OUT, _M.QUARANTINE_FILE),
    (_R.GPU, _E.GPU_TROUBLE): (_M.RESTART_AGENT, _M.SAFE_MODE),
    (_R.AGENT, _E.GPU_TROUBLE): (_M.REBOOT, _M.SAFE_MODE),
    (_R.REBOOT, _E.GPU_TROUBLE): (_M.REBOOT, _M.SAFE_MODE),
    (_R.SAFE, _E.GPU_TROUBLE): (_M.SAFE_MODE,),
    (_R.ENGINE, _E.IDLE): (_M.RESTART_AGENT, _M.WAIT),
    (_R.GPU, _E.IDLE): (_M.RESTART_AGENT, _M.WAIT),
    (_R.AGENT, _E.IDLE): (_M.REBOOT, _M.WAIT),
    (_R.REBOOT, _E.IDLE): (_M.REBOOT, _M.WAIT),
    (_R.SAFE, _E.IDLE): (_M.WAIT,),
    **{(rung, _E.CALM): (_M.FORGET,) for rung in Rung},
}
TAKES_TO: Mapping[Measure, Rung] = {
    _M.LEAVE_GPU_OUT: _R.GPU,
    _M.RESTART_AGENT: _R.AGENT,
    _M.REBOOT: _R.REBOOT,
    _M.SAFE_MODE: _R.SAFE,
    _M.FORGET: _R.ENGINE,
}


def step(record: Record, event: Event, facts: Facts) -> tuple[Record, Measure]:
    """What is done about the event, and the record after it."""
    measure = next(each for each in TABLE[record.rung, event] if possible(each, record, facts))
    after = replace(
        record,
        rung=TAKES_TO.get(measure, record.rung),
        trouble_at=record.trouble_at if event is Event.CALM else facts.now,
        out=_out(measure, record, facts),
        reboots=_recent(record, facts.now) + ((facts.now,) if measure is Measure.REBOOT else ()),
    )
    return after, measure


def possible(measure: Measure, record: Record, facts: Facts) -> bool:
    """Whether the measure can be taken here and now."""
    match measure:
        case Measure.LEAVE_GPU_OUT:
            return facts.blamed in facts.gpus
        case Measure.RESTART_AGENT:
            return facts.supervised
        case Measure.REBOOT:
            recent = _recent(record, facts.now)
            if not facts.may_reboot or len(recent) >= REBOOTS:
                return False
            return not recent or facts.now - recent[-1] >= REBOOT_PAUSES_S[len(recent)]
        case _:
            return True


def is_calm(record: Record, now: float) -> bool:
    """Whether there is something to forget, and nothing has happened for so long."""
    return (record.rung is not Rung.ENGINE or bool(record.out)) and abs(now - record.trouble_at) >= CALM_S


def suspect(words: str, gpus: Sequence[tuple[str, str]]) -> str:
    """Of (place, name) of each device in use, the place of the one that an engine's last words name, else of the last one.

    The last one: llama.cpp keeps the most on the first devices, so that what is left without the last is worth the most.
    """
    said = words.lower()
    named = [place for place, name in gpus if place.lower() in said or name.lower() in said]
    return (named or [place for place, _ in gpus] or [""])[-1]


def _out(measure: Measure, record: Record, facts: Facts) -> tuple[str, ...]:
    match measure:
        case Measure.LEAVE_GPU_OUT:
            return (*record.out, facts.blamed)[-MAX_OUT:]
        case Measure.REBOOT | Measure.FORGET:  # a driver that starts anew gets its chance
            return ()
        case _:
            return record.out


def _recent(record: Record, now: float) -> tuple[float, ...]:
    """Reboots that still count; a clock that was set back hides none."""
    return tuple(each for each in record.reboots if abs(now - each) < REBOOTS_S)[-REBOOTS:]
