"""Texts that come as a string or as an array of typed parts."""

from collections.abc import Collection, Mapping

from pool.openai.fields import Fields

MAX_PARTS = 1024

Kinds = Mapping[str, Collection[str]]  # the type of a part, and what it may hold beside its type and its text


def text_of(fields: Fields, key: str, kinds: Kinds) -> str:
    """The text under the key, which must be there: a string, or parts joined by line ends as a chat's are."""
    fields.required(key)
    value = fields.value[key]
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        fields.refuse(key, "expected a string or an array of content parts.", "invalid_type")
    if len(value) > MAX_PARTS:
        fields.refuse(key, f"at most {MAX_PARTS} parts.")
    return "\n".join(part_text(fields.item(key, i, part), kinds) for i, part in enumerate(value))


def part_text(fields: Fields, kinds: Kinds) -> str:
    """The text of one part; a refusal's stands under its own name."""
    kind = fields.needed_string("type")
    if kind not in kinds:
        known = ", ".join(kinds)
        fields.refuse("type", f"'{kind[:40]}' is not supported here, only {known}.", "unsupported_value")
    key = "refusal" if kind == "refusal" else "text"
    fields.only({"type", key, *kinds[kind]}, {})
    fields.required(key)
    return fields.string(key) or ""
