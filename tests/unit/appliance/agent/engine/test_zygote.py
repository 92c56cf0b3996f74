"""A compiled grammar knows what fits next; an oracle's life over a socket, here in a thread."""

import json
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.agent.engine.grammar import JSON_OBJECT, GrammarRefused, gbnf_of
from appliance.agent.engine.llama import LogRing, Model, Vocabulary
from appliance.agent.engine.oracle import Accepted, Broken, Opening, Oracle, OracleReady, Rejected
from appliance.agent.engine.zygote import CompiledGrammar, answer
from iamine.wire.messages import Grammar

MOTE = Path(__file__).parents[5] / "appliance/agent/data/mote-Q8_0.gguf"
LOGS = LogRing()


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    LOGS.install()
    return Model(MOTE, exact=True, vocabulary_only=True).vocabulary


def bits(grammar: CompiledGrammar, size: int) -> list[int]:
    return [int(i) for i in np.flatnonzero(Rejected(grammar.mask()).mask(size))]


def test_only_tokens_that_can_begin_the_rule_fit(vocabulary: Vocabulary) -> None:
    grammar = CompiledGrammar(vocabulary, 'root ::= "you" | "yes"')
    allowed = {vocabulary.piece(i) for i in bits(grammar, vocabulary.size)}
    assert allowed == {b"y", b"you"} | {p for p in allowed if b"yes".startswith(p) or b"you".startswith(p)}
    assert all(not grammar.fits(i) for i in vocabulary.eog)


def test_a_complete_grammar_allows_the_end_only(vocabulary: Vocabulary) -> None:
    grammar = CompiledGrammar(vocabulary, 'root ::= "you"')
    grammar.accept(vocabulary.tokenize("you", special=False)[0])
    assert set(bits(grammar, vocabulary.size)) == vocabulary.eog
    grammar.accept(next(iter(vocabulary.eog)))  # harmless


def test_json_fits_the_grammar_of_json(vocabulary: Vocabulary) -> None:
    grammar = CompiledGrammar(vocabulary, JSON_OBJECT)
    for token in vocabulary.tokenize('{"a": [1, -2.5e3, true], "b\\n": {"c": null}}', special=False):
        assert grammar.fits(token)
        grammar.accept(token)
    assert set(bits(grammar, vocabulary.size)) >= vocabulary.eog


@pytest.mark.parametrize("value", [["a\nb", 'c"\\d'], {"k\n": "é\t"}, "tab\t", {"a": [1, {"b": None}]}])
def test_json_that_fits_a_schema_fits_its_grammar(vocabulary: Vocabulary, value: object) -> None:
    kind = {list: "array", dict: "object", str: "string"}[type(value)]
    for schema in ({"const": value}, {"enum": [1, value]}, {"type": kind}):
        grammar = CompiledGrammar(vocabulary, gbnf_of(Grammar(kind="json_schema", text=json.dumps(schema))))
        for token in vocabulary.tokenize(json.dumps(value), special=False):
            assert grammar.fits(token)
            grammar.accept(token)
        assert set(bits(grammar, vocabulary.size)) >= vocabulary.eog


def test_a_string_holds_no_raw_control_characters(vocabulary: Vocabulary) -> None:
    grammar = CompiledGrammar(vocabulary, gbnf_of(Grammar(kind="json_schema", text='{"type": "string"}')))
    grammar.accept(vocabulary.tokenize('"', special=False)[0])
    assert not any(grammar.fits(i) for i in vocabulary.tokenize("\n\t", special=False))


@pytest.mark.parametrize("text", ["Root ::= x", "root ::= root", "root ::= x", "root ::= (", "\x00", ""])
def test_a_broken_grammar_is_refused(vocabulary: Vocabulary, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GrammarRefused):
        CompiledGrammar(vocabulary, text)


@pytest.fixture
def life(vocabulary: Vocabulary) -> Iterator[list[socket.socket]]:
    """The engine's end of an oracle's socket is in the list; the oracle ends with the test."""
    ours, theirs = socket.socketpair()
    limits: list[float] = []  # a real limit would hit this process
    thread = threading.Thread(target=answer, args=(theirs, vocabulary, limits.append))
    thread.start()
    yield [ours]
    ours.close()
    thread.join(10.0)
    theirs.close()
    assert all(limit > 0 for limit in limits)


def hear(oracle: Oracle) -> object:
    verdict = None
    while verdict is None:
        select.select([oracle], [], [], 10.0)
        verdict = oracle.hear()
    return verdict


def test_an_oracle_answers_until_its_socket_closes(life: list[socket.socket], vocabulary: Vocabulary) -> None:
    word = vocabulary.tokenize("you", special=False)[0]
    oracle = Oracle(life[0], Opening(grammar=Grammar(kind="gbnf", text='root ::= "you" "you" [a-z]'), prefix=(word,)))
    assert hear(oracle) == OracleReady()
    oracle.ask(0)
    refused = hear(oracle)
    assert isinstance(refused, Rejected)
    assert refused.mask(vocabulary.size)[word]
    oracle.accept(word)
    oracle.ask(vocabulary.tokenize("q", special=False)[0])
    assert hear(oracle) == Accepted()


def test_a_prefix_that_does_not_fit_is_told(life: list[socket.socket]) -> None:
    oracle = Oracle(life[0], Opening(grammar=Grammar(kind="gbnf", text='root ::= "you"'), prefix=(5,)))
    verdict = hear(oracle)
    assert isinstance(verdict, Broken)
    assert "does not fit" in verdict.message


def test_a_frame_that_is_no_opening_ends_the_oracle(vocabulary: Vocabulary) -> None:
    limits: list[float] = []
    for data in (b"\xff" * 100, b"\x01"):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(data)
            ours.shutdown(socket.SHUT_WR)
            answer(theirs, vocabulary, limits.append)
    assert limits == []
