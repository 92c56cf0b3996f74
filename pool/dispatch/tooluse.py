"""Which tool calls may be told to the client: those of the request's tools, and of strict ones only what fits."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol

import jsonschema_rs

from pool.dispatch.choice import ToolUse
from pool.errors import InvalidRequest
from pool.openai.types import Tool
from pool.toolcalls import think_tool
from pool.toolcalls.types import Tools


class _Validator(Protocol):
    def is_valid(self, instance: object) -> bool: ...


def tool_use(tools: Sequence[Tool], *, parallel: bool, must: bool, think: bool = False) -> ToolUse | None:
    """How to read calls out of the answer, None without tools. Raises InvalidRequest for a strict schema that is none.

    `think`: the pool's own tool is offered too; its calls are hidden from the client, whatever they look like.
    """
    if not tools and not think:
        return None
    schemas: Mapping[str, _Validator | None] = {tool.name: _validator(tool) if tool.strict else None for tool in tools}

    def accepts(name: str, arguments: str) -> bool:
        if think and name == think_tool.NAME:
            return True
        if name not in schemas:
            return False
        schema = schemas[name]
        return schema is None or schema.is_valid(json.loads(arguments))

    shown = {tool.name: _schema(tool) for tool in tools}
    hidden = think_tool.NAME if think else ""
    return ToolUse(tools=Tools(accepts=accepts, schemas=shown, hidden=hidden), parallel=parallel, must=must)


def _schema(tool: Tool) -> Any:
    """The schema's value, None for one that is nested too deeply to be looked into."""
    try:
        return json.loads(tool.schema)
    except RecursionError:  # pragma: no cover (the request's own JSON was read to about the same depth)
        return None


def _validator(tool: Tool) -> _Validator:
    try:
        return jsonschema_rs.validator_for(json.loads(tool.schema), retriever=_no_fetching)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"'{tool.param}' is no valid JSON schema: {str(error)[:200]}", param=tool.param) from None


def _no_fetching(uri: str) -> NoReturn:
    """A client's schema never makes the pool read from elsewhere."""
    raise ValueError(f"references to other documents are not followed: {uri[:80]}")
