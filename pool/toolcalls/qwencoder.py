"""Qwen3-Coder and Qwen3.5: calls as tags, whose values are text until the tool's JSON schema says what they are.

    <tool_call>
    <function=NAME>
    <parameter=KEY>
    VALUE
    </parameter>
    </function>
    </tool_call>

A value ends where its closing tag is followed by another parameter or the function's end, so it may hold tags itself.
"""

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from pool.toolcalls.blocks import End, Format
from pool.toolcalls.jsontext import NOT_A_CALL, called, loads
from pool.toolcalls.types import Tools, Wanted

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_FUNCTION, _FUNCTION_END = "<function=", "</function>"
_PARAMETER, _PARAMETER_END = "<parameter=", "</parameter>"
_NEXT_FUNCTION = re.compile(rf"{_FUNCTION_END}\s*{_FUNCTION}")
_NEXT_PARAMETER = re.compile(rf"{_PARAMETER_END}\s*{_PARAMETER}")
_MAX_SCHEMAS = 64  # looked at for one value: references may lead in circles
_KINDS: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", dict: "object", list: "array", str: "string"}


def _ends() -> End:
    """Behind the closing mark that follows a function's end; behind any when the block holds no function at all."""
    looked = 0

    def end(text: str, start: int) -> int:
        nonlocal looked
        looked = max(looked, start)
        while (at := text.find(CLOSE, looked)) >= 0:
            looked = at + len(CLOSE)
            body = text[start:at].strip()
            if body.endswith(_FUNCTION_END) or not body.startswith(_FUNCTION):
                return looked
        looked = max(looked, len(text) - len(CLOSE))
        return -1

    return end


def _read(inside: str, tools: Tools) -> list[Wanted] | None:
    body = inside.removesuffix(CLOSE).strip()
    if not (body.startswith(_FUNCTION) and body.endswith(_FUNCTION_END)):
        return None
    functions = _NEXT_FUNCTION.split(body[len(_FUNCTION) : -len(_FUNCTION_END)])
    try:
        return [_call(function, tools) for function in functions]
    except NOT_A_CALL:
        return None


def _call(function: str, tools: Tools) -> Wanted:
    name, tag_end, rest = function.partition(">")
    body = rest.strip()
    if not tag_end or (body and not (body.startswith(_PARAMETER) and body.endswith(_PARAMETER_END))):
        raise ValueError("a function holds parameters and nothing else")
    schema = tools.schemas.get(name)
    parameters = _NEXT_PARAMETER.split(body[len(_PARAMETER) : -len(_PARAMETER_END)]) if body else []
    return called(name, dict(_argument(parameter, schema) for parameter in parameters))


def _argument(parameter: str, schema: Any) -> tuple[str, Any]:
    key, tag_end, value = parameter.partition(">")
    if not tag_end:
        raise ValueError("a parameter's tag is open")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    wanted = properties.get(key) if isinstance(properties, dict) else None
    return key, converted(value.removeprefix("\n").removesuffix("\n"), kinds(wanted, schema))


def kinds(schema: Any, root: Any) -> frozenset[str]:
    """The JSON types that a schema allows, as far as it says so plainly; references are followed within `root`."""
    found: set[str] = set()
    waiting = deque([schema])
    for _ in range(_MAX_SCHEMAS):
        if not waiting:
            break
        schema = waiting.popleft()
        if not isinstance(schema, dict):
            continue
        named = schema.get("type")
        allowed = {kind for kind in _several(named) or [named] if isinstance(kind, str)}
        listed = [*_several(schema.get("enum")), *([schema["const"]] if "const" in schema else [])]
        found |= allowed or {_kind(value) for value in listed}
        waiting.extend(inner for key in ("anyOf", "oneOf", "allOf") for inner in _several(schema.get(key)))
        waiting.append(_referred(schema.get("$ref"), root))
    return frozenset(found)


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS[type(value)]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _referred(reference: Any, root: Any) -> Any:
    """What a reference into the schema's own document names, None for any other."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    for part in reference[2:].split("/"):
        root = root.get(part) if isinstance(root, dict) else None
    return root


def converted(text: str, allowed: frozenset[str]) -> Any:
    """The value that the text writes: text where the schema allows nothing else or the text is no value of its types."""
    if allowed <= {"string"}:
        return text
    try:
        value = loads(text.strip())
    except (ValueError, RecursionError):
        value = {"true": True, "false": False, "none": None}.get(text.strip().lower(), text)
    if isinstance(value, float) and value.is_integer() and "integer" in allowed and "number" not in allowed:
        value = int(value)
    kind = _kind(value)
    fits = kind in allowed or (kind == "integer" and "number" in allowed)
    return value if fits else text


QWEN_CODER = Format(mark=OPEN, wakes=frozenset(">"), ends=_ends, read=_read)
