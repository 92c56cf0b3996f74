"""Reading one JSON object field by field; whatever is wrong is refused with the path of what is wrong."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec

from pool.errors import InvalidRequest

Object = Mapping[str, Any]
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MAX_TOKEN_ID = 2**31 - 1  # llama.cpp's token ids are int32

_KINDS: Mapping[type, str] = {str: "a string", bool: "a boolean", list: "an array", dict: "an object"}
_JSON_TYPES: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def decode_object(body: bytes) -> Object:
    """The JSON object in a request's body. Raises InvalidRequest for anything else (RFC 8259, no NaN, no lone surrogates)."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.", code="invalid_json") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    return value


def encode_json(value: object, param: str) -> bytes:
    """The value as JSON text; it came out of decode_object, so only its depth can be wrong."""
    try:
        return msgspec.json.encode(value)
    except RecursionError:
        raise InvalidRequest(f"'{param}' is nested too deeply.", param=param) from None


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of the request and its path; null counts as absent."""

    value: Object
    path: str = ""

    def name(self, key: str) -> str:
        """The key's full path, as in messages[2].content."""
        return f"{self.path}.{key}" if self.path else key

    def refuse(self, key: str, message: str, code: str = "invalid_value") -> NoReturn:
        """Raises InvalidRequest naming the key."""
        param = self.name(key)
        raise InvalidRequest(f"Invalid '{param}': {message}", param=param, code=code)

    def only(self, known: Collection[str], refused: Mapping[str, str]) -> None:
        """Refuse every key that is not known; `refused` tells why for those that OpenAI documents."""
        for key, value in self.value.items():
            if key in known or (key in refused and value is None):
                continue
            param = self.name(key)
            if key in refused:
                message = f"'{param}' is not supported here: {refused[key]}"
                raise InvalidRequest(message, param=param, code="unsupported_parameter")
            raise InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self.value.get(key) is not None

    def typed(self, key: str, kind: type) -> Any:
        """The value, which must be of this JSON type, or None."""
        value = self.value.get(key)
        if value is not None and type(value) is not kind:
            self.refuse(key, f"expected {_KINDS[kind]}, got {_JSON_TYPES[type(value)]}.", "invalid_type")
        return value

    def required(self, key: str) -> None:
        """Raises InvalidRequest unless the key is there."""
        if not self.has(key):
            param = self.name(key)
            raise InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")

    def string(self, key: str, *, max_length: int | None = None) -> str | None:
        """A string of at most `max_length` characters, or None."""
        value: str | None = self.typed(key, str)
        if value is not None and max_length is not None and len(value) > max_length:
            self.refuse(key, f"at most {max_length} characters, got {len(value)}.")
        return value

    def needed_string(self, key: str, *, max_length: int | None = None) -> str:
        """A string that must be there and not be empty."""
        self.required(key)
        value = self.string(key, max_length=max_length)
        if not value:
            self.refuse(key, "must not be empty.")
        return value

    def boolean(self, key: str, default: bool) -> bool:
        """true or false."""
        value: bool | None = self.typed(key, bool)
        return default if value is None else value

    def integer(self, key: str, low: int, high: int) -> int | None:
        """An integer in [low, high], or None; true and 1.0 are not integers."""
        value = self.value.get(key)
        if value is None:
            return None
        if type(value) is not int:
            self.refuse(key, f"expected an integer, got {_JSON_TYPES[type(value)]}.", "invalid_type")
        if not low <= value <= high:
            self.refuse(key, f"must be from {low} to {high}.")
        return value

    def number(self, key: str, low: float, high: float, default: float) -> float:
        """A number in [low, high]."""
        value = self.value.get(key)
        if value is None:
            return default
        if type(value) not in (int, float):
            self.refuse(key, f"expected a number, got {_JSON_TYPES[type(value)]}.", "invalid_type")
        if not low <= value <= high:
            self.refuse(key, f"must be from {low:g} to {high:g}.")
        return float(value)

    def array(self, key: str, *, most: int) -> list[Any] | None:
        """An array of at most `most` items, or None."""
        value: list[Any] | None = self.typed(key, list)
        if value is not None and len(value) > most:
            self.refuse(key, f"at most {most} items, got {len(value)}.")
        return value

    def inner(self, key: str) -> "Fields | None":
        """The object under the key, or None."""
        value = self.typed(key, dict)
        return None if value is None else Fields(value, self.name(key))

    def needed_inner(self, key: str) -> "Fields":
        """The object under the key, which must be there."""
        self.required(key)
        return Fields(self.typed(key, dict), self.name(key))

    def item(self, key: str, index: int, value: object) -> "Fields":
        """Item `index` of the array under the key, which must be an object."""
        param = f"{key}[{index}]"
        if not isinstance(value, dict):
            self.refuse(param, f"expected an object, got {_JSON_TYPES[type(value)]}.", "invalid_type")
        return Fields(value, self.name(param))


def token_ids(fields: Fields, key: str, values: list[Any]) -> tuple[int, ...]:
    """Token ids: integers from 0; whether the model has them is checked where the model is known."""
    for index, value in enumerate(values):
        if type(value) is not int or not 0 <= value <= MAX_TOKEN_ID:
            fields.refuse(f"{key}[{index}]", "expected a token id, an integer from 0.", "invalid_type")
    return tuple(values)
