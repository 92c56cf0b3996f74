"""What a person's text says that may be put into a tool's arguments or a form: numbers, quoted words, names, files."""

import re
from dataclasses import dataclass, field
from typing import Any

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*[a-zA-Z_])")
_QUOTED = re.compile(r'"([^"]+)"|`([^`]+)`|\'([^\']+)\'|“([^”]+)”')
_PATH = re.compile(r"(?<![\w/.])/?(?:[\w.-]+/)*[\w-]+\.[a-z][a-z0-9]{0,4}\b")
_PROPER = re.compile(r"(?<!^)(?<![.!?:] )\b[A-Z][a-z]+(?: [A-Z][a-z]+)*")
_CAPITAL = re.compile(r"\b[A-Z][a-z]+\b")
_PLACE = re.compile(r"\b(?:in|for|at|of) ([A-Z][a-z]+(?: [A-Z][a-z]+)*)")


@dataclass
class Hints:
    """One text's hints; a number is given out once, the last one again and again."""

    text: str
    numbers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.numbers = _NUMBER.findall(self.text)

    def number(self) -> float:
        """The next number of the text, 1 when there is none."""
        if not self.numbers:
            return 1
        taken = self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]
        return float(taken) if "." in taken else int(taken)

    def told(self, name: str) -> str | None:
        """The value of `name=value`, `name: value` or `name is value`."""
        found = re.search(
            rf"\b{re.escape(name)}\s*(?:=|:|\bis\b)\s*[\"'`]?([\w./@ -]+?)[\"'`]?(?=[,;!?]|\. |\.?$|\band\b)", self.text
        )
        return found[1].strip() if found else None

    def chosen(self, options: list[Any]) -> Any:
        """The option that the text names, else the first."""
        lower = self.text.lower()
        return next((one for one in options if isinstance(one, str) and one.lower() in lower), options[0])

    def string(self, name: str) -> str:
        """A text for the field `name`."""
        told, lower = self.told(name), name.lower()
        if told:
            return told
        kinds = (
            (("path", "file"), _PATH),
            (("city", "location", "place", "country"), _PLACE),
            (("name", "person", "city", "location"), _PROPER),
            (("name",), _CAPITAL),
        )
        quoted = self.quoted()
        if quoted and not ("path" in lower or "file" in lower):
            return quoted
        for words, pattern in kinds:
            found = pattern.search(self.text) if any(word in lower for word in words) else None
            if found:
                return found[found.lastindex or 0]
        return quoted or self.text.strip()[:200] or name

    def quoted(self) -> str:
        """The first quoted words."""
        found = _QUOTED.search(self.text)
        return next((group for group in found.groups() if group), "") if found else ""
