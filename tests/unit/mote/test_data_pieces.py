"""The pieces of text are of the kinds they claim to be."""

from __future__ import annotations

import random

from mote.data_pieces import LONGEST_NAME, Pieces
from mote.data_types import name_is_held_out
from mote.words import FORBIDDEN, HOBBIES, JOBS, NAMES, PLACES, TOPICS, WORDS


def test_word_lists_hold_no_empty_and_no_padded_entries() -> None:
    for entries in (NAMES, PLACES, WORDS, HOBBIES, JOBS, TOPICS, FORBIDDEN):
        assert len(entries) >= 20
        assert all(entry and entry == entry.strip() for entry in entries)


def test_invented_words_are_new_and_not_too_long() -> None:
    pieces = Pieces(random.Random(1), vocabulary=["ab", "cde"])
    words = [pieces.invented() for _ in range(500)]
    assert all(2 <= len(word) <= LONGEST_NAME and word.isalpha() for word in words)
    assert len(set(words)) > 200


def test_only_unseen_draws_only_held_out_names() -> None:
    pieces = Pieces(random.Random(2), evaluate=True, only_unseen=True)
    assert all(name_is_held_out(pieces.name()) and name_is_held_out(pieces.place()) for _ in range(100))


def test_numbers_have_no_leading_zero() -> None:
    pieces = Pieces(random.Random(3))
    numbers = [pieces.number() for _ in range(500)]
    assert all(number == str(int(number)) for number in numbers)


def test_paths_have_no_spaces() -> None:
    pieces = Pieces(random.Random(4))
    assert all(" " not in pieces.path() for _ in range(500))


def test_a_varied_request_still_names_its_subject() -> None:
    pieces = Pieces(random.Random(5))
    assert all("Zorvan" in pieces.vary("Where is Zorvan?") for _ in range(200))
