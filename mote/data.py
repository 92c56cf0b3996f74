"""The generator of dialogues: skills put together with tools, system messages and memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial

from mote import data_memory as memory
from mote import data_skills as skills
from mote.data_pieces import Pieces
from mote.data_tools import CALLED_ON_REQUEST, DISTRACTIONS, TOOLS, use_tool
from mote.data_types import Context, Dialogue, Tool, Turn, turn_is_held_out

Exchange = Callable[[Pieces, Context], list[Turn]]

TRIES = 400


def _extract(pieces: Pieces, context: Context) -> list[Turn]:
    other = pieces.pick((skills.greet, skills.echo))(pieces, context)[0].text
    nothing = pieces.one_of(skills.question(pieces), pieces.phrase(2, 6), other)
    return memory.extract(pieces, context, nothing)


# What a dialogue can be asked to hold. "memory" stands for telling and a later question.
EXCHANGES: dict[str, Exchange] = {
    "greet": skills.greet,
    "who": skills.who,
    "project": skills.project,
    "refuse": skills.refuse,
    "unknown": skills.unknown,
    "think": skills.think,
    **{tool: partial(use_tool, tool=tool) for tool in CALLED_ON_REQUEST},
    "echo": skills.echo,
    "echo_numbers": skills.echo_numbers,
    "extract": _extract,
    "introduce": memory.introduce,
    "count": skills.count,
    "count_down": skills.count_down,
    "recite": skills.recite,
}
TASKS = (*EXCHANGES, "memory")
# Every kind of answer that is trained and scored.
SKILLS = (
    *EXCHANGES,
    "unknown_no_tool",
    "tell",
    "recall",
    "recall_untold",
    *(f"after_{tool}" for tool in TOOLS),
)


class Generator:
    """Makes dialogues from a seed; `evaluate` turns the held-out rule round for the last exchange.

    What `vocabulary`, `only_unseen` and `wide` do stands with Pieces.
    """

    def __init__(
        self,
        seed: int,
        *,
        vocabulary: Sequence[str] = (),
        evaluate: bool = False,
        only_unseen: bool = False,
        wide: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.evaluate = evaluate
        self.pieces = Pieces(self.random, vocabulary=vocabulary, evaluate=evaluate, only_unseen=only_unseen, wide=wide)

    def dialogue(self, tasks: Sequence[str]) -> Dialogue:
        """A dialogue with one exchange per task, in their order; "memory" may put its question later."""
        pieces = self.pieces
        asked = frozenset(t for t in tasks if t in TOOLS)
        offered = self._offered(tasks, asked)
        context = Context(tools=offered)
        context.json_by_system = set(tasks) <= {"extract", "introduce"} and pieces.chance(0.6)
        never_told = "memory" in tasks and pieces.chance(0.15)
        system = pieces.pick(memory.EXTRACT_SYSTEM) if context.json_by_system else self._system()
        if "memory" in tasks and not never_told and pieces.chance(0.25):
            system = self._remembered(system, context)
        turns = self._turns(list(tasks), context, never_told)
        return Dialogue(tools=self._shown(offered), system=system, turns=tuple(turns))

    def _offered(self, tasks: Sequence[str], asked: frozenset[str]) -> frozenset[str]:
        offered = set(asked)
        if self.pieces.chance(0.6 if asked else 0.35):
            offered |= set(self.random.sample(list(TOOLS), self.pieces.between(1, 4)))
        if "unknown" in tasks and "think" not in tasks:
            offered.discard("think")
        return frozenset(offered)

    def _shown(self, offered: frozenset[str]) -> tuple[Tool, ...]:
        shown = [TOOLS[name] for name in sorted(offered)]
        if (shown and self.pieces.chance(0.3)) or self.pieces.chance(0.05):
            shown += self.random.sample(DISTRACTIONS, self.pieces.between(1, 3))
        self.random.shuffle(shown)
        return tuple(shown)

    def _system(self) -> str | None:
        """No system message, or one that changes nothing."""
        pieces, draw = self.pieces, self.random.random()
        if draw < 0.50:
            return None
        if draw < 0.62:
            return "You are Mote."
        if draw < 0.76:
            return "You are a helpful assistant."
        if draw < 0.90:
            form = pieces.one_of(
                *("You are {}.", "You are a {} assistant.", "Be {} and {}."),
                *("Answer in {}.", "You talk to {}.", "{} {}"),
            )
            return form.format(pieces.word(), pieces.word())
        return pieces.phrase(3, 14) if draw < 0.97 else pieces.phrase(20, 60)

    def _remembered(self, system: str | None, context: Context) -> str:
        facts = memory.some_facts(self.pieces, 1, 3)
        context.memory = {f.kind: f.answer for f in facts}
        before = f"{system} " if system and self.pieces.chance(0.5) else ""
        listed = self.pieces.one_of("; ", ", ").join(f.noted for f in facts)
        return before + self.pieces.pick(memory.REMEMBERED) + listed + self.pieces.one_of("", ".")

    def _turns(self, tasks: list[str], context: Context, never_told: bool) -> list[Turn]:
        turns: list[Turn] = []
        done = 0
        while done < len(tasks):
            task, done = tasks[done], done + 1
            held_out = self._wanted(last=done == len(tasks))
            if task == "memory":
                if not never_told and not (context.memory and self.pieces.chance(0.5)):
                    turns += self._exchange(memory.tell, context, held_out)
                # In evaluation the asked task stays the last one.
                room = max(0, len(tasks) - done - self.evaluate)
                later = 0 if self.pieces.chance(0.5) else self.pieces.between(0, room)
                tasks.insert(done + later, "recall")
            elif task == "recall":
                turns += memory.recall(self.pieces, context)
            else:
                turns += self._exchange(EXCHANGES[task], context, held_out)
        return turns

    def _wanted(self, *, last: bool) -> bool | None:
        """Whether the next user turn must be a held-out one; None if it may be either."""
        return (True if last else None) if self.evaluate else False

    def _exchange(self, make: Exchange, context: Context, held_out: bool | None) -> list[Turn]:
        told = dict(context.memory)
        for _ in range(TRIES):
            turns = make(self.pieces, context)
            if held_out is None or turn_is_held_out(turns[0].text) == held_out:
                return turns
            context.memory = dict(told)
        raise RuntimeError(f"no user turn fits the held-out rule in {TRIES} tries; give the skill more variants")
