"""Constraints become GBNF, or a reason why not that quotes nothing."""

import pytest

from appliance.agent.engine.grammar import JSON_OBJECT, MAX_GRAMMAR_CHARS, GrammarRefused, check_text, gbnf_of
from iamine.wire.messages import Grammar


def test_gbnf_is_taken_as_it_is_and_json_object_is_a_fixed_grammar() -> None:
    assert gbnf_of(Grammar(kind="gbnf", text='root ::= "a"')) == 'root ::= "a"'
    assert gbnf_of(Grammar(kind="json_object")) == JSON_OBJECT


def test_a_schema_becomes_rules() -> None:
    text = gbnf_of(Grammar(kind="json_schema", text='{"type": "object", "properties": {"a": {"type": "integer"}}}'))
    assert "root ::=" in text
    assert "integer" in text
    assert "root ::=" in gbnf_of(Grammar(kind="json_schema", text="true"))


@pytest.mark.parametrize(
    "schema",
    [
        "nope",
        "[1]",
        '{"$ref": "https://example.org/secret"}',
        '{"type": "secret"}',
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"items": ' * 800 + "{}" + "}" * 800,
        '{"enum": 3}',
    ],
)
def test_a_schema_that_cannot_become_a_grammar_is_refused_without_quoting_it(schema: str) -> None:
    with pytest.raises(GrammarRefused) as caught:
        gbnf_of(Grammar(kind="json_schema", text=schema))
    assert "secret" not in str(caught.value)


def test_no_text_and_too_much_text_are_refused() -> None:
    check_text(Grammar(kind="json_object"))
    check_text(Grammar(kind="gbnf", text="x" * MAX_GRAMMAR_CHARS))
    for text in ("", "  ", "x" * (MAX_GRAMMAR_CHARS + 1)):
        with pytest.raises(GrammarRefused):
            check_text(Grammar(kind="gbnf", text=text))
