"""Embeddings: one job, one answer."""

from dataclasses import dataclass

from iamine.ids import JobId, ModelId
from pool.dispatch.ports import JobStream, Status
from pool.dispatch.record import Record
from pool.errors import AnswerLost, InvalidRequest
from pool.openai.types import EmbeddingsRequest, Origin, Span
from pool.routing.types import Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The vectors, in the order of the inputs, and where they came from."""

    job: JobId
    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int
    origin: Origin


async def embedded(job: JobId, model: ModelId, request: EmbeddingsRequest, stream: JobStream, record: Record) -> Embedded:
    """Wait for the vectors; the slot is freed and the end recorded however this ends."""
    status: Status = "cut"
    vectors: Vectors | None = None
    try:
        await record.begun()
        vectors = _checked(request, await _vectors(stream))
        status = "complete"
    except Exception:
        status = "failed"
        raise
    finally:
        stream.cancel()
        record.finish(
            status,
            prompt_tokens=vectors.prompt_tokens if vectors is not None else 0,
            completion_tokens=0,
            segments=vectors.segments if vectors is not None else (),
        )
    await record.finished()
    spans = tuple(Span(worker=s.worker, start=s.start, stop=s.stop) for s in vectors.segments)
    origin = Origin(job=job, model=model, spans=spans)
    return Embedded(job=job, vectors=vectors.vectors, prompt_tokens=vectors.prompt_tokens, origin=origin)


async def _vectors(stream: JobStream) -> Vectors:
    async for event in stream:
        if isinstance(event, Vectors):
            return event
    raise AnswerLost("The worker was lost; asking again is safe.")


def _checked(request: EmbeddingsRequest, told: Vectors) -> Vectors:
    if len(told.vectors) != len(request.inputs):
        raise AnswerLost("The worker did not answer every input; asking again is safe.")
    size = len(told.vectors[0])
    if request.dimensions not in (None, size):
        message = f"'{request.model}' gives {size} dimensions and cannot shorten them."
        raise InvalidRequest(message, param="dimensions", code="unsupported_value")
    return told
