"""Pure: the steps of a start, what each needs, and which comes next."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """A thing that one performer does."""

    MEDIUM = "medium"
    SETTINGS = "settings"
    IDS = "ids"
    DATA = "data"
    REMEMBER = "remember"
    BLANK = "blank"
    HOSTNAME = "hostname"
    WIFI = "wifi"
    CLOCK = "clock"
    MODELS = "models"
    WORKER = "worker"
    DISCOVERY = "discovery"
    PROCESSOR = "processor"
    RECOVERY = "recovery"
    MEMORY = "memory"


class Outcome(Enum):
    """How a step ended."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # something that it needs was not done


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A step, the steps that must be DONE before it, and what a person is told when it fails."""

    step: Step
    needs: tuple[Step, ...] = ()
    code: str
    advice: str


@dataclass(frozen=True, slots=True)
class Perform:
    """The next thing to do."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Skip:
    """The next step cannot be done, because of another."""

    step: Step
    because: Step


TABLE: tuple[Rule, ...] = (
    Rule(step=Step.MEDIUM, code="E-STICK", advice="the worker runs from memory; settings on the stick are not seen"),
    Rule(step=Step.SETTINGS, needs=(Step.MEDIUM,), code="E-SETTINGS", advice="flash the stick again if this stays"),
    Rule(step=Step.IDS, needs=(Step.MEDIUM,), code="E-IDS", advice="is it write-protected? start it once alone"),
    Rule(
        step=Step.DATA,
        needs=(Step.MEDIUM,),
        code="E-DATA",
        advice="the worker keeps nothing: use a larger stick that can be written",
    ),
    Rule(step=Step.REMEMBER, needs=(Step.SETTINGS, Step.DATA), code="E-DATA", advice="settings hold for this start only"),
    Rule(step=Step.BLANK, needs=(Step.REMEMBER,), code="E-SECRETS", advice="the Wi-Fi password stays in iamine.toml"),
    Rule(step=Step.HOSTNAME, code="E-NAME", advice="use letters, digits and - in [machine] hostname"),
    Rule(step=Step.WIFI, code="E-WIFI", advice="check [wifi] in iamine.toml, or use a cable"),
    Rule(step=Step.CLOCK, code="E-CLOCK", advice="set the clock in the machine's firmware set-up"),
    Rule(step=Step.MODELS, needs=(Step.DATA,), code="E-MODELS", advice="remove large files from models/ on the stick"),
    Rule(step=Step.WORKER, code="E-WORKER", advice="flash the stick again"),
    Rule(step=Step.DISCOVERY, needs=(Step.WORKER,), code="E-POOL", advice="write the pool's url under [pool] in iamine.toml"),
    Rule(step=Step.PROCESSOR, code="E-CPU", advice="use another machine, from 2009 or later"),
    Rule(step=Step.RECOVERY, code="E-RECOVERY", advice="try the other console, or start again"),
    Rule(step=Step.MEMORY, needs=(Step.MEDIUM,), code="E-MEMORY", advice="leave the stick in; it works all the same"),
)


def following(outcomes: Mapping[Step, Outcome]) -> Perform | Skip | None:
    """What comes after these outcomes; None when every step has one."""
    for rule in TABLE:
        if rule.step in outcomes:
            continue
        for need in rule.needs:
            if outcomes[need] is not Outcome.DONE:
                return Skip(rule.step, need)
        return Perform(rule)
    return None
