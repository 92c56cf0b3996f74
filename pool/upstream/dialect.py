"""What is sent to the provider, and what its chunks say. No I/O."""

import json
from collections.abc import Mapping
from typing import Any

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import Grammar
from pool.dispatch.events import Spoken
from pool.errors import AnswerLost
from pool.openai.types import ChatRequest
from pool.routing.types import Ended, Segment

UPSTREAM = WorkerId("upstream")  # who gave its tokens: nobody who is paid for them


def body_of(request: ChatRequest, model: ModelId, *, seed: int) -> dict[str, Any]:
    """The request for one choice, streamed: OpenAI's own parameters only."""
    drawn = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [_plain(turn) for turn in json.loads(request.messages)],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": drawn.temperature,
        "top_p": drawn.top_p,
        "seed": seed,
    }
    optional = {
        "presence_penalty": drawn.presence_penalty,
        "frequency_penalty": drawn.frequency_penalty,
        "stop": list(drawn.stop),
        "max_tokens": request.max_tokens,
        "response_format": _format(drawn.grammar),
        "reasoning_effort": request.effort,
    }
    body |= {key: value for key, value in optional.items() if value}
    if request.tools:
        body |= {"tools": json.loads(request.tools_json), "parallel_tool_calls": request.parallel_tool_calls}
    return body


def _plain(turn: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in turn.items() if key != "reasoning_content"}


def _format(grammar: Grammar | None) -> dict[str, Any] | None:
    if grammar is None:
        return None
    if grammar.kind == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": json.loads(grammar.text), "strict": True}}


class Chunks:
    """Reads the chunks of one choice. A delta counts as one token until the provider tells how many there were."""

    def __init__(self) -> None:
        self._tokens = 0
        self._calls: dict[int, list[str]] = {}
        self._reason = ""
        self._usage: Mapping[str, Any] = {}

    def read(self, data: str) -> Spoken | None:
        """What a chunk says; None for one that says nothing yet. Raises AnswerLost for an error or nonsense."""
        try:
            chunk = json.loads(data)
            if "error" in chunk:
                raise AnswerLost("The upstream provider broke off; asking again is safe.")
            self._usage = chunk.get("usage") or self._usage
            spoken = [self._choice(choice) for choice in chunk.get("choices") or () if choice.get("index", 0) == 0]
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise AnswerLost("The upstream provider's answer could not be read; asking again is safe.") from error
        return spoken[0] if spoken else None

    def _choice(self, choice: Mapping[str, Any]) -> Spoken | None:
        delta = choice.get("delta") or {}
        self._reason = choice.get("finish_reason") or self._reason
        content, reasoning = str(delta.get("content") or ""), str(delta.get("reasoning_content") or "")
        for part in delta.get("tool_calls") or ():
            self._call(part)
        calls: tuple[tuple[str, str], ...] = ()
        if choice.get("finish_reason"):
            calls = tuple((name, _arguments(text)) for name, text in self._calls.values())
            self._calls = {}
        if not (content or reasoning or calls):
            return None
        self._tokens += 1
        return Spoken(tokens=self._tokens, content=content, reasoning=reasoning, calls=calls)

    def _call(self, part: Mapping[str, Any]) -> None:
        known = self._calls.setdefault(int(part["index"]), ["", ""])
        function = part.get("function") or {}
        known[0] += str(function.get("name") or "")
        known[1] += str(function.get("arguments") or "")

    def ended(self) -> Ended:
        """The end, once the stream is over. Raises AnswerLost when it ended before the answer did."""
        if not self._reason:
            raise AnswerLost("The upstream provider broke off; asking again is safe.")
        usage = self._usage
        tokens = max(self._tokens, int(usage.get("completion_tokens") or 0))
        return Ended(
            reason="length" if self._reason == "length" else "stop",
            text="",
            tokens=tokens,
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            cached_tokens=0,
            segments=(Segment(worker=UPSTREAM, start=0, stop=tokens),),
        )


def _arguments(text: str) -> str:
    """The arguments as JSON text of an object. Raises ValueError."""
    if not isinstance(json.loads(text or "{}"), dict):
        raise ValueError("arguments are an object")
    return text or "{}"
