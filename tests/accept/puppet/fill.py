"""A value that a JSON schema allows, with what the text hints at."""

from typing import Any

from puppet.hints import Hints

FORMATS = {
    "date": "2026-11-22",
    "date-time": "2026-11-22T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ada@example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.org/",
}
MAX_DEPTH = 20


class CannotFill(Exception):
    """The schema asks for something that this script has no rule for."""


def fill(schema: Any, hints: Hints, *, calls: bool = True) -> Any:
    """A value for the schema; whether it fits is checked by who asked. Raises CannotFill.

    `calls`: of several things that may stand there, the call of a tool that the text is about goes first.
    """
    return _Filling(schema, hints, calls).value(schema, "value", 0)


class _Filling:
    def __init__(self, root: Any, hints: Hints, calls: bool) -> None:
        self._root = root
        self._calls = calls
        self._hints = hints

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CannotFill("the schema has no end")
        if not isinstance(schema, dict):
            return self._hints.string(name)
        if "$ref" in schema:
            return self.value(self._resolved(schema["$ref"]), name, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._hints.chosen(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self.value(self._best(schema[key]), name, depth + 1)
        if "allOf" in schema:
            merged: dict[str, Any] = {}
            for part in schema["allOf"]:
                merged |= self._resolved(part["$ref"]) if "$ref" in part else part
            return self.value(merged, name, depth + 1)
        return self._typed(schema, name, depth)

    def _typed(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                count = max(1, schema.get("minItems", 1))
                return [self.value(schema.get("items", {}), name.removesuffix("s"), depth + 1) for _ in range(count)]
            case "integer":
                return self._within(int(self._number(name)), schema)
            case "number":
                return self._within(self._number(name), schema)
            case "boolean":
                return True
            case "null":
                return None
            case "string":
                return self._string(schema, name)
        raise CannotFill(f"no rule for the type {kind!r}")

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        needed = schema.get("required", list(properties))
        wanted = [key for key in properties if key in needed or self._hints.told(key)]
        return {key: self.value(properties[key], key, depth + 1) for key in wanted}

    def _number(self, name: str) -> float:
        told = self._hints.told(name)
        try:
            return float(told) if told and "." in told else int(told or "")
        except ValueError:
            return self._hints.number()

    def _within(self, number: float, schema: dict[str, Any]) -> float:
        return min(max(number, schema.get("minimum", number)), schema.get("maximum", number))

    def _string(self, schema: dict[str, Any], name: str) -> str:
        text = FORMATS.get(schema.get("format", "")) or self._hints.string(name)
        text = text.ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength", len(text))]

    def _resolved(self, reference: str) -> Any:
        at = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                at = at[part.replace("~1", "/").replace("~0", "~")]
        return at

    def _best(self, options: list[Any]) -> Any:
        """Of several calls the one whose tool the text is about; else what is no call, or the tool offered last."""
        options = [one for one in options if not (isinstance(one, dict) and one.get("type") == "null")] or options
        others = [one for one in options if not _named(one)]
        best = max(options, key=lambda one: about(_named(one), "", self._hints.text))
        wanted = self._calls and about(_named(best), "", self._hints.text) > 0
        return best if wanted else (others or options[-1:])[0]


def _named(schema: Any) -> str:
    named = schema.get("properties", {}).get("name", {}).get("const") if isinstance(schema, dict) else None
    return str(named or "")


def about(name: str, description: str, text: str) -> int:
    """How much the text is about a tool: its name counts most, then the parts of it, then words of what it does."""
    lower = text.lower()
    parts = [part for part in name.lower().replace("-", "_").split("_") if len(part) > 2]
    words = {word.strip(".,:;()").lower() for word in description.split(".")[0].split()} - COMMON
    score = 100 if name and name.lower() in lower.split("(")[0] + " " + lower else 0
    score += sum(20 for part in parts if part in lower)
    return score + sum(1 for word in words if len(word) > 4 and word in lower)


COMMON = {"about", "which", "their", "there", "given", "using", "returns", "return", "applies"}
