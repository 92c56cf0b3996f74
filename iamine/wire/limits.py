"""What a value of the wire may be at most, checked while it is decoded: whoever is linked may be anybody (ADR 0036).

Names are shown to people and kept in tables; numbers are reckoned with and kept as 64-bit integers. Encoding checks nothing.
"""

from typing import Annotated

import msgspec

from iamine.ids import ModelId

MAX_CONTEXT_TOKENS = 1 << 26  # cells that an engine takes for all its contexts
MAX_MARKS = 256  # templates use about ten
MAX_TOKEN_BYTES = 1024  # the longest token of known vocabularies has 512 (runs of spaces)
MAX_REST_CHARACTERS = 65_536  # of a text that was held back: a stop string, a character
MAX_TOP_LOGPROBS = 20  # OpenAI's limit of top_logprobs
MAX_DIMENSIONS = 65_536
MAX_HOLD_S = 86_400.0
_NAME_CHARACTERS, _SAID_CHARACTERS, _HASH_CHARACTERS = 256, 8192, 128
_PRINTABLE = r"\A[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\Z"  # no control characters, none that turn a line around
_FLOAT32 = 3.4028234e38
_LARGEST = 1 << 53  # what a double holds exactly; far from what a table's bigint cannot

Name = Annotated[str, msgspec.Meta(max_length=_NAME_CHARACTERS, pattern=_PRINTABLE)]
ModelName = Annotated[ModelId, msgspec.Meta(min_length=1, max_length=_NAME_CHARACTERS, pattern=_PRINTABLE)]
Hash = Annotated[str, msgspec.Meta(max_length=_HASH_CHARACTERS, pattern=_PRINTABLE)]
Mark = Annotated[str, msgspec.Meta(max_length=_NAME_CHARACTERS)]
Said = Annotated[str, msgspec.Meta(max_length=_SAID_CHARACTERS)]  # for a log or a person; may have several lines
Rest = Annotated[str, msgspec.Meta(max_length=MAX_REST_CHARACTERS)]
Whole = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
Epoch = Annotated[int, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
LiveEpoch = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST)]
HoldSeconds = Annotated[float, msgspec.Meta(ge=0, le=MAX_HOLD_S)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MAX_CONTEXT_TOKENS)]
TokenId = Annotated[int, msgspec.Meta(ge=-1, le=(1 << 31) - 1)]
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
Bytes = Annotated[tuple[Byte, ...], msgspec.Meta(max_length=MAX_TOKEN_BYTES)]
Number = Annotated[float, msgspec.Meta(ge=-_FLOAT32, le=_FLOAT32)]
Vector = Annotated[tuple[Number, ...], msgspec.Meta(min_length=1, max_length=MAX_DIMENSIONS)]
