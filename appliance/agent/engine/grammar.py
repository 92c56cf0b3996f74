"""A job's constraint as GBNF text. It runs in a process of its own (zygote.py): a constraint comes from a stranger."""

from typing import Any

import msgspec
from llama_cpp.llama_grammar import SchemaConverter

from iamine.wire.messages import Grammar

MAX_GRAMMAR_CHARS = 256 * 1024  # the largest JSON schema in OpenAI's limits is 120 000 characters of names and values

JSON_OBJECT = r"""
root ::= object
object ::= "{" ws ( member ( "," ws member )* )? "}"
member ::= string ":" ws value ws
array ::= "[" ws ( value ws ( "," ws value ws )* )? "]"
value ::= object | array | string | number | "true" | "false" | "null"
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" ( ["\\bfnrt/] | "u" [0-9a-fA-F]{4} ) )* "\""
number ::= "-"? ( [0-9] | [1-9] [0-9]{0,15} ) ( "." [0-9]{1,16} )? ( [eE] [-+]? [0-9]{1,3} )?
ws ::= ( " " | "\n" [ \t]{0,20} )?
"""

# RFC 8259, section 7. llama-cpp-python 0.3.36 lets raw control characters through, which is no JSON.
JSON_CHARACTER = r"""[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})"""


class GrammarRefused(Exception):
    """The constraint cannot become a grammar; the text says why, without quoting it."""


def check_text(grammar: Grammar) -> None:
    """Raises GrammarRefused when there is no text, or too much to be looked at."""
    if grammar.kind != "json_object" and not grammar.text.strip():
        raise GrammarRefused("the grammar is empty")
    if len(grammar.text) > MAX_GRAMMAR_CHARS:
        raise GrammarRefused(f"the grammar has {len(grammar.text)} characters, more than {MAX_GRAMMAR_CHARS}")


def gbnf_of(grammar: Grammar) -> str:
    """GBNF with the rule `root`. May take long: call it where time is limited. Raises GrammarRefused."""
    match grammar.kind:
        case "gbnf":
            return grammar.text
        case "json_object":
            return JSON_OBJECT
        case "json_schema":
            return _schema_gbnf(grammar.text)


def _schema_gbnf(text: str) -> str:
    try:
        schema = msgspec.json.decode(text)
        if not isinstance(schema, (dict, bool)):
            raise GrammarRefused("the JSON schema is neither an object nor true")
        return _convert({} if schema is True else schema)
    except msgspec.DecodeError as error:
        raise GrammarRefused(f"the JSON schema is not JSON: {error}") from error
    except RecursionError as error:
        raise GrammarRefused("the JSON schema is nested too deeply") from error
    except (AssertionError, ValueError, TypeError, LookupError, AttributeError) as error:  # what the converter raises
        raise GrammarRefused(f"the JSON schema uses something that has no grammar: {type(error).__name__}") from error


def _convert(schema: Any) -> str:
    """llama-cpp-python's own conversion with its two known faults mended; raises whatever it does."""
    make: Any = SchemaConverter  # untyped
    converter = make(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
    converter._format_literal = _literal
    converter.visit(converter.resolve_refs(schema, "schema"), "")
    if "char" in converter._rules:
        converter._rules["char"] = JSON_CHARACTER
    return str(converter.format_grammar())


def _literal(text: str) -> str:
    """JSON text as a GBNF literal; the original leaves backslashes alone, so that "\\n" would become a line break."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
