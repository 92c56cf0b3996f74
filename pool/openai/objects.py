"""Whole responses as JSON bytes, with exactly OpenAI's fields, `reasoning_content` and `x_iamine`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import msgspec

from iamine.ids import JobId, ModelId
from iamine.wire.messages import TokenLogprob
from pool.errors import PoolError
from pool.openai.embeddings import vector_base64
from pool.openai.logprobs import chat_logprobs, old_logprobs
from pool.openai.types import Choice, Head, Origin, ToolCall, Usage

Json = dict[str, object]


def answer_id(prefix: str, job: JobId) -> str:
    """The id that the client sees: chatcmpl-… or cmpl-…, with the job's own characters."""
    return f"{prefix}-{job.removeprefix('job_')}"


def usage_json(usage: Usage) -> Json:
    """OpenAI's `usage` of a completion."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def origin_json(origin: Origin) -> Json:
    """`x_iamine`: the job, the model, its tier, and which worker gave which tokens (of which choice, if several)."""
    several = any(span.choice for span in origin.spans)
    segments: list[Json] = []
    for span in origin.spans:
        segment: Json = {"worker": span.worker, "from": span.start, "to": span.stop}
        if span.model:
            segment["model"] = span.model
        segments.append(segment | {"choice": span.choice} if several else segment)
    told: Json = {"job": origin.job, "model": origin.model, "segments": segments, "memory": None}
    if origin.chosen is not None:
        chosen = origin.chosen
        told |= {"tier": chosen.tier, "degraded": chosen.degraded, "reason": chosen.reason}
    if origin.thoughts:
        told["thinks"] = [asdict(thought) for thought in origin.thoughts]
    return told


def call_json(call: ToolCall) -> Json:
    """A tool call of a whole message."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def chat_completion(head: Head, choices: Sequence[Choice], usage: Usage, origin: Origin) -> bytes:
    """A whole chat completion."""
    return _answer(head, "chat.completion", [_chat_choice(choice) for choice in choices], usage, origin)


def text_completion(head: Head, choices: Sequence[Choice], usage: Usage, origin: Origin) -> bytes:
    """A whole text completion."""
    return _answer(head, "text_completion", [_text_choice(choice) for choice in choices], usage, origin)


def _answer(head: Head, kind: str, choices: list[Json], usage: Usage, origin: Origin) -> bytes:
    return msgspec.json.encode(
        {
            "id": head.id,
            "object": kind,
            "created": head.created,
            "model": head.model,
            "choices": choices,
            "usage": usage_json(usage),
            "system_fingerprint": head.fingerprint,
            "x_iamine": origin_json(origin),
        }
    )


def _chat_choice(choice: Choice) -> Json:
    message: Json = {"role": "assistant", "content": choice.content, "refusal": None, "annotations": []}
    if choice.calls:
        message |= {"content": choice.content or None, "tool_calls": [call_json(call) for call in choice.calls]}
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    return {
        "index": choice.index,
        "message": message,
        "logprobs": None if choice.logprobs is None else chat_logprobs(choice.logprobs),
        "finish_reason": choice.finish_reason,
    }


def _text_choice(choice: Choice) -> Json:
    logprobs: Sequence[TokenLogprob] | None = choice.logprobs
    return {
        "text": choice.content,
        "index": choice.index,
        "logprobs": None if logprobs is None else old_logprobs(logprobs, 0),
        "finish_reason": choice.finish_reason,
    }


def embeddings_list(
    model: ModelId, vectors: Sequence[tuple[float, ...]], prompt_tokens: int, origin: Origin, *, base64: bool
) -> bytes:
    """The vectors, in the order of the inputs."""
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector_base64(vector) if base64 else vector}
                for index, vector in enumerate(vectors)
            ],
            "model": model,
            "usage": {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens},
            "x_iamine": origin_json(origin),
        }
    )


def model_json(model: ModelId, *, created: int, owned_by: str, about: Json) -> Json:
    """One model as OpenAI lists it; `about` is what only this pool tells of it."""
    return {"id": model, "object": "model", "created": created, "owned_by": owned_by, "x_iamine": about}


def to_json(value: Json) -> bytes:
    """A plain object as JSON."""
    return msgspec.json.encode(value)


def model_list(models: Sequence[Json]) -> bytes:
    """GET /v1/models."""
    return msgspec.json.encode({"object": "list", "data": models})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldError:
    """What a client may know of an error."""

    message: str
    type: str
    param: str | None
    code: str | None


def told_error(error: Exception) -> ToldError:
    """The error with its hint; of a foreign exception nothing is told."""
    if not isinstance(error, PoolError):
        error = PoolError("The pool failed to answer this request; asking again is safe.")
    message = f"{error.message} {error.hint}" if error.hint else error.message
    return ToldError(message=_sayable(message), type=error.type, param=error.param, code=error.code)


def _sayable(text: str) -> str:
    """The text where it quotes a client's bytes that are no UTF-8: they are shown as \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode()


def error_json(error: Exception) -> bytes:
    """OpenAI's error envelope."""
    return msgspec.json.encode({"error": asdict(told_error(error))})
