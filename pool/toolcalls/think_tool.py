"""The think tool: a small model's way to put a question to a larger one. The pool offers it, and answers it itself."""

import json
from collections.abc import Sequence

NAME = "think"
MAX_CALLS = 2  # of one answer
TOOL = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "Ask a larger model a question of knowledge or reasoning that you cannot answer well yourself.",
        "parameters": {
            "type": "object",
            "properties": {"question": {"type": "string", "description": "The whole question, with all it needs."}},
            "required": ["question"],
        },
    },
}
NO_ANSWER = "No answer came. Answer as well as you can yourself, and say what you do not know."
NO_MORE = "No more questions can be asked. Answer as well as you can with what you have."
MAX_QUESTION_CHARACTERS = 8000


def offered(tools_json: bytes) -> bytes:
    """The tools of the request with the think tool behind them, as JSON."""
    return json.dumps([*json.loads(tools_json), TOOL], ensure_ascii=False, separators=(",", ":")).encode()


def question_of(arguments: str) -> str:
    """What is asked by a call with these arguments (a JSON object as text); models misname parameters now and then."""
    given = json.loads(arguments)
    texts = [value for value in given.values() if isinstance(value, str)]
    question = given.get("question")
    asked = question if isinstance(question, str) else texts[0] if texts else arguments
    return asked.strip()[:MAX_QUESTION_CHARACTERS]


def turns(content: str, arguments: str, result: str, number: int) -> Sequence[dict[str, object]]:
    """The two turns that go behind the messages: the model's call, after what it said, and the result."""
    call = f"call_think{number}"
    made = {"id": call, "type": "function", "function": {"name": NAME, "arguments": arguments}}
    return (
        {
            "role": "assistant",
            "content": content or None,
            "tool_calls": [made],
        },
        {"role": "tool", "tool_call_id": call, "content": result},
    )


def extended(messages: bytes, added: Sequence[dict[str, object]]) -> bytes:
    """The messages with these turns behind them, as JSON."""
    return json.dumps([*json.loads(messages), *added], ensure_ascii=False, separators=(",", ":")).encode()
