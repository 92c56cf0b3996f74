"""A job's constraint as GBNF text, within limits. Pure; the text itself is compiled in a process of its own (oracle.py)."""

from iamine.wire.messages import Grammar

MAX_GRAMMAR_CHARS = 256 * 1024


class GrammarRefused(Exception):
    """The constraint cannot become a grammar; the text says why."""


def gbnf_of(grammar: Grammar) -> str:
    """GBNF with the rule `root`. Raises GrammarRefused."""
    if grammar.kind == "gbnf":
        return grammar.text
    raise GrammarRefused("not yet")
