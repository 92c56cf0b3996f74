"""POST /v1/embeddings: bytes to EmbeddingsRequest, and vectors to bytes."""

import base64
import struct

from iamine.ids import ModelId
from pool.openai.chat import MAX_MODEL_CHARACTERS
from pool.openai.completions import parse_prompts
from pool.openai.fields import Fields, decode_object
from pool.openai.types import EmbeddingsRequest

MAX_INPUTS = 2048  # OpenAI's limit
MAX_DIMENSIONS = 65_536

_KNOWN = frozenset({"model", "input", "encoding_format", "dimensions", "user"})  # user: see accepted.HARMLESS


def parse_embeddings(body: bytes) -> EmbeddingsRequest:
    """The request in the body. Raises InvalidRequest naming the parameter."""
    fields = Fields(decode_object(body))
    fields.only(_KNOWN, {})
    fields.string("user")
    encoding = fields.string("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        fields.refuse("encoding_format", "must be float or base64.")
    return EmbeddingsRequest(
        model=ModelId(fields.needed_string("model", max_length=MAX_MODEL_CHARACTERS)),
        inputs=parse_prompts(fields, "input", MAX_INPUTS),
        base64=encoding == "base64",
        dimensions=fields.integer("dimensions", 1, MAX_DIMENSIONS),
    )


def vector_base64(vector: tuple[float, ...]) -> str:
    """The vector as OpenAI sends it: little-endian float32 in base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
