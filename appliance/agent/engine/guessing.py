"""Guesses at an answer's next tokens from what followed the same words before, and how many are worth the work. Pure.

The model checks all guesses in one step. Token i is drawn from its own logits with its own random number whether it was
guessed or not, so a guess changes the time that an answer takes and nothing else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

NGRAM = 3  # so many ids must have come before; two find more and are wrong more often
MOST_GUESSES = 15
PRIOR_SHARE, PRIOR_COST = 0.7, 0.3  # before anything was seen
LEARNED = 0.15  # of a new observation goes into what is believed
FORGOTTEN = 0.01  # a token without guesses: belief drifts back to the prior, so that it is tried again
LEAST_COST, MOST_COST = 0.02, 2.0


class Lookup:
    """Where each group of NGRAM ids was seen last, in a prompt and its answer."""

    def __init__(self, ids: Sequence[int] = ()) -> None:
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        self.add(ids)

    def add(self, ids: Sequence[int]) -> None:
        """The text goes on."""
        for token in ids:
            at = len(self._ids)
            if at >= NGRAM:
                self._after[tuple(self._ids[at - NGRAM :])] = at
            self._ids.append(token)

    def guess(self, count: int) -> list[int]:
        """What followed the last NGRAM ids when they came before, at most `count` ids."""
        at = self._after.get(tuple(self._ids[-NGRAM:])) if count > 0 else None
        return [] if at is None else self._ids[at : at + count]


@dataclass(slots=True)
class Trust:
    """Of one answer: the share of guesses that came true lately."""

    share: float = PRIOR_SHARE

    def told(self, guessed: int, right: int) -> None:
        """The first `right` of the guesses were drawn; those after the first wrong one say nothing."""
        for _ in range(right):
            self.share += LEARNED * (1 - self.share)
        if right < guessed:
            self.share -= LEARNED * self.share

    def rested(self) -> None:
        """A token came without a guess."""
        self.share += FORGOTTEN * max(0.0, PRIOR_SHARE - self.share)


@dataclass(slots=True)
class StepCost:
    """What one further token in a step costs, as a share of a step with one token: it differs from machine to machine.

    Small where reading the weights takes the time (a graphics card, many cores), near 1 where computing does.
    """

    more: float = PRIOR_COST
    one_s: float = 0.0

    def took(self, tokens: int, took_s: float) -> None:
        """A step with so many tokens of one sequence took so long."""
        if tokens == 1:
            self.one_s = took_s if not self.one_s else self.one_s + LEARNED * (took_s - self.one_s)
            self.more += FORGOTTEN * min(0.0, PRIOR_COST - self.more)
        elif self.one_s > 0:
            seen = (took_s / self.one_s - 1) / (tokens - 1)
            self.more += LEARNED * (min(max(seen, LEAST_COST), MOST_COST) - self.more)


def worth(share: float, cost: float) -> int:
    """How many guesses pay: the n-th comes true with share**n, and costs `cost` of what a token costs otherwise."""
    if share <= cost or cost >= 1:
        return 0
    return MOST_GUESSES if share >= 1 else min(MOST_GUESSES, int(math.log(cost) / math.log(share)))
