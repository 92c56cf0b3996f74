"""The script's own rules: run them by `pytest tests/accept` in the main environment."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from puppet.fill import CannotFill, fill
from puppet.hints import Hints
from puppet.rules import answer

from iamine.wire.messages import Grammar

ROOT = Path(__file__).parents[2]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": CITY}}


def said(*turns: tuple[str, str], tools: Any = (), grammar: Grammar | None = None) -> str:
    return "".join(piece.text for piece in answer([{"role": r, "content": c} for r, c in turns], tools, grammar))


def test_a_tool_that_the_text_is_about_is_called_and_its_result_told() -> None:
    asked = ("user", "What is the weather in Paris?")
    called = said(asked, tools=[WEATHER])
    assert json.loads(called.removeprefix("<tool_call>").removesuffix("</tool_call>")) == {
        "name": "weather",
        "arguments": {"city": "Paris"},
    }
    assert said(asked, ("assistant", called), ("tool", "sunny"), tools=[WEATHER]) == "The tool says: sunny"
    assert said(("user", "Hello"), tools=[WEATHER]) == "You said: Hello"


@pytest.mark.parametrize(
    ("schema", "asked"),
    [
        ({"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}, "e": {"enum": ["x"]}}}, "seven is 7"),
        ({"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 2, "$defs": {"a": {"type": "number"}}}, "1.5 and 2"),
        ({"anyOf": [{"type": "null"}, {"type": "string", "format": "date", "maxLength": 10}]}, "when?"),
        ({"allOf": [CITY, {"required": ["city"]}]}, "Oslo"),
        ({"type": ["boolean", "null"]}, "yes"),
    ],
)
def test_a_form_is_filled_as_its_schema_wants(schema: Any, asked: str) -> None:
    value = fill(schema, Hints(asked))
    assert jsonschema_rs.validator_for(schema).is_valid(value), value
    assert json.loads(said(("user", asked), grammar=Grammar(kind="json_schema", text=json.dumps(schema)))) == value


def test_what_it_has_no_rule_for_it_refuses() -> None:
    with pytest.raises(CannotFill):
        said(("user", "x"), grammar=Grammar(kind="gbnf", text="root ::= [a-z]"))
    with pytest.raises(CannotFill):
        fill({"$ref": "#"}, Hints("x"))


def test_it_edits_as_aider_explains() -> None:
    explained = ("system", "Use *SEARCH/REPLACE blocks*.")
    file = ("user", "greeting.py\n```python\nx = 'hello'\n```")
    told = said(explained, file, ("user", 'Replace "hello" by "bye" in greeting.py'))
    assert "<<<<<<< SEARCH\nx = 'hello'\n=======\nx = 'bye'\n>>>>>>> REPLACE" in told


def test_it_goes_to_its_pool(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests/accept")])}
    command = [sys.executable, "-m", "puppet", "http://127.0.0.1:1", str(tmp_path / "puppet")]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.terminate()
    assert "cannot reach ws://127.0.0.1:1" in said
