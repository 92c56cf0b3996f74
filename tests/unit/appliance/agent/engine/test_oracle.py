"""The engine's side of an oracle: verdicts from however the bytes come, death included."""

import socket

import msgspec

from appliance.agent.engine.oracle import (
    HEADER,
    NO,
    READY,
    TOKEN,
    YES,
    Accepted,
    Broken,
    Opening,
    Oracle,
    OracleReady,
    Rejected,
    framed,
)
from iamine.wire.messages import Grammar

OPENING = Opening(grammar=Grammar(kind="gbnf", text='root ::= "a"'), prefix=(4, 5))


def pair() -> tuple[Oracle, socket.socket]:
    ours, theirs = socket.socketpair()
    return Oracle(ours, OPENING), theirs


def test_the_first_message_carries_grammar_and_prefix() -> None:
    oracle, other = pair()
    data = other.recv(10_000)
    assert msgspec.json.decode(data[HEADER.size :], type=Opening) == OPENING
    oracle.close()
    other.close()


def test_verdicts_are_heard_when_they_are_complete() -> None:
    oracle, other = pair()
    other.recv(10_000)
    assert oracle.hear() is None
    for body, verdict in (
        (READY, OracleReady()),
        (YES, Accepted()),
        (NO + b"\x05", Rejected(b"\x05")),
        (b"Bwhy", Broken("why")),
    ):
        data = framed(body)
        for n in range(len(data) - 1):
            other.sendall(data[n : n + 1])
            assert oracle.hear() is None
        other.sendall(data[-1:])
        assert oracle.hear() == verdict
    oracle.ask(7)
    oracle.accept(8)
    assert other.recv(100) == framed(TOKEN.pack(b"?", 7)) + framed(TOKEN.pack(b"+", 8))
    other.close()
    assert isinstance(oracle.hear(), Broken)
    oracle.ask(1)  # to a dead one: no error here, the next `hear` tells
    oracle.close()


def test_a_large_grammar_goes_in_parts_while_the_oracle_reads() -> None:
    ours, other = socket.socketpair()
    large = Opening(grammar=Grammar(kind="gbnf", text="x" * 2_000_000), prefix=())
    oracle, got = Oracle(ours, large), b""
    while len(got) < 2_000_000:
        got += other.recv(1 << 20)
        oracle.push()
    oracle.push()
    assert oracle.hear() is None
    oracle.close()
    other.close()


def test_a_mask_has_one_bit_per_token() -> None:
    assert Rejected(b"\x05\x02").mask(10).tolist() == [True, False, True] + [False] * 6 + [True]
