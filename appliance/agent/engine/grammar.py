"""A job's constraint as GBNF text. It runs in a process of its own (zygote.py): a constraint comes from a stranger."""

import msgspec
from llama_cpp.llama_grammar import json_schema_to_gbnf

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
        return str(json_schema_to_gbnf("{}" if schema is True else text))
    except msgspec.DecodeError as error:
        raise GrammarRefused(f"the JSON schema is not JSON: {error}") from error
    except RecursionError as error:
        raise GrammarRefused("the JSON schema is nested too deeply") from error
    except (AssertionError, ValueError, TypeError, LookupError, AttributeError) as error:  # what the converter raises
        raise GrammarRefused(f"the JSON schema uses something that has no grammar: {type(error).__name__}") from error
