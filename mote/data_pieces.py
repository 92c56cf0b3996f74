"""Random pieces of text: words, names, numbers, paths and the many ways to put one request."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from mote.data_types import name_is_held_out
from mote.knowledge import FACTS
from mote.words import NAMES, PLACES, TOPICS, WORDS, listed, spaced

T = TypeVar("T")

LONGEST_NAME = 12
ONSETS = [*spaced("b c d f g h j k l m n p r s t v w z br cr dr fl gr kl pl pr st tr sh th ch"), ""]
CODAS = ["", "", "", "n", "r", "s", "l", "m", "t", "x", "nd", "ck", "st"]
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
OPENINGS = listed("please |Please |hey, |OK, |Hi, |Now |So, |Mote, |Tell me: |A question: |Well, |Sorry, |And ")
CLOSINGS = listed(" Please.| Thanks.|!| please| Thank you!")
FILE_STEMS = ["main", "notes", "data", "test", "index", "readme"]
FILE_ENDINGS = [".txt", ".py", ".md", ".json", ".csv", ".log", ".c", ".html"]


class Pieces:
    """Draws pieces of text from one random source.

    `vocabulary` holds letter pieces of the tokenizer, so that every one of them is copied sometimes.
    In training (`evaluate` false) held-out names never appear; `only_unseen` draws nothing else.
    `wide` knows more ways to ask, and in training repeats words more often: that is hard to copy.
    """

    def __init__(
        self,
        source: random.Random,
        *,
        vocabulary: Sequence[str] = (),
        evaluate: bool = False,
        only_unseen: bool = False,
        wide: bool = False,
    ) -> None:
        self.random = source
        self.vocabulary = vocabulary
        self.evaluate = evaluate
        self.only_unseen = only_unseen
        self.wide = wide
        self.doubling = 0.3 if wide and not evaluate else 0.12

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(self.random.random() * len(options))]

    def one_of(self, *options: str) -> str:
        """One of the texts given."""
        return self.pick(options)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.random.random() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random.random() * (high - low + 1))

    def invented(self, longest: int = LONGEST_NAME) -> str:
        """A word nobody knows, of 2 to `longest` letters."""
        if self.vocabulary and self.chance(0.5):
            word = "".join(self.pick(self.vocabulary) for _ in range(self.between(1, 3)))
        else:
            word = "".join(self._syllable() for _ in range(self.between(1, 4)))
        word = word[:longest]
        return word if len(word) > 1 else word + "n"

    def _syllable(self) -> str:
        vowel = self.pick("aeiou" if self.chance(0.97) else "éèàçüöñ")
        return self.pick(ONSETS) + vowel + self.pick(CODAS)

    def letters(self) -> str:
        """A few letters without sense."""
        return "".join(self.pick(ALPHABET) for _ in range(self.between(2, 5)))

    def number(self) -> str:
        """A number of 1 to 6 digits; some repeat their digits, which is harder to copy."""
        if self.chance(0.85):
            return str(self.between(0, 10 ** self.between(1, 6) - 1))
        digits = "012" if self.chance(0.5) else "77788899"
        text = "".join(self.pick(digits) for _ in range(self.between(2, 6)))
        return text.lstrip("0") or "0"

    def _listed(self, names: Sequence[str]) -> str:
        while True:
            name = self.pick(names)
            if name_is_held_out(name) if self.only_unseen else self.evaluate or not name_is_held_out(name):
                return name

    def name(self) -> str:
        """A person's name, listed or invented."""
        listed = self.only_unseen or self.chance(0.55)
        return self._listed(NAMES) if listed else self.invented_name()

    def place(self) -> str:
        """A place, listed or invented."""
        listed = self.only_unseen or self.chance(0.55)
        return self._listed(PLACES) if listed else self.invented_name()

    def invented_name(self) -> str:
        """An invented name of 2 to 12 letters with a capital."""
        return self.invented().capitalize()

    def word(self) -> str:
        """A word of any kind, numbers and names among them."""
        draw = self.random.random()
        if draw < 0.42:
            return self.pick(WORDS)
        if draw < 0.66:
            return self.invented()
        if draw < 0.80:
            return self.number()
        if draw < 0.86:
            return self.name()
        if draw < 0.90:
            return self.letters()
        if draw < 0.94:
            return self.pick(WORDS).capitalize()
        if draw < 0.97:
            return self.pick(WORDS) + self.pick(",.!?")
        return self.pick(WORDS).upper()

    def phrase(self, shortest: int, longest: int) -> str:
        """Some words in a row; at times one comes twice, so that copying needs more than the last word."""
        words = [self.word() for _ in range(self.between(shortest, longest))]
        if len(words) > 2 and self.chance(self.doubling):
            first = self.between(0, len(words) - 2)
            words[self.between(first + 1, len(words) - 1)] = words[first]
        return " ".join(words)

    def prose(self, shortest: int, longest: int) -> str:
        """A phrase, sometimes a long one or a real sentence: what a file, a search or a tool may say."""
        draw = self.random.random()
        if draw < 0.06:
            return self.pick(FACTS)[0]
        return self.phrase(longest, 3 * longest) if draw < 0.16 else self.phrase(shortest, longest)

    def thing(self) -> str:
        """Something one may ask about."""
        if self.chance(0.5):
            return self.pick(TOPICS)
        return self.pick(WORDS) if self.chance(0.5) else self.phrase(1, 3)

    def path(self) -> str:
        """A file path."""
        stem = self.one_of(self.pick(WORDS), self.invented(8), *FILE_STEMS)
        if self.chance(0.3):
            stem += self.one_of("_", "-", "") + self.one_of(self.number()[:2], self.pick(WORDS))
        folder = self.one_of(
            *("", "", "", "src/", "docs/", "/srv/"),
            f"/home/{self.name().lower().replace(' ', '')}/",
            f"{self.pick(WORDS)}/",
            f"data/{self.pick(WORDS)}/",
        )
        return folder + stem + self.pick(FILE_ENDINGS)

    def vary(self, text: str) -> str:
        """Another way to write the same request."""
        draw = self.random.random()
        if draw < 0.12:
            lower = text[1].islower() or text[1] == " "
            text = self.pick(OPENINGS) + (text[0].lower() + text[1:] if lower else text)
        elif draw < 0.27:
            text = text[0].lower() + text[1:]
        draw = self.random.random()
        if draw < 0.15:
            return text.rstrip("?.")
        return text + self.pick(CLOSINGS) if draw < 0.21 else text
