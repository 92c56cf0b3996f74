"""gpt-oss: harmony messages, `<|channel|>NAME to=RECIPIENT <|constrain|>FORMAT<|message|>BODY<|end|>`.

The channel `analysis` is reasoning, a message to a function is a call, everything else is content; a message that would
be a call but may not be told comes back as it was written. Two messages of content are a paragraph apart.
openai-harmony is not used: it parses token ids with a vocabulary file of its own, and the pool holds text, from any file.
"""

import re
from typing import Literal

from pool.toolcalls.jsontext import NOT_A_CALL, Marks, called, loads, outside_strings, overlap
from pool.toolcalls.types import Calls, Part, Reasoning

OPENING = ("<|start|>", "<|channel|>")
CLOSING = ("<|end|>", "<|call|>", "<|return|>")
MESSAGE = "<|message|>"
MAX_HEADER_CHARACTERS = 300  # a tool's name has 64 at most; the rest of a header is less than 100
_LEADS = (*OPENING, "to=")  # the prompt ends with `<|start|>assistant`: a recipient may come first
_HEADER = re.compile(r"\s*(?:<\|start\|>|<\|channel\|>|to=)(?:(?!<\|(?:end|call|return|message)\|>).)*<\|message\|>", re.DOTALL)
_NO_HEADER = re.compile("|".join(map(re.escape, CLOSING)))
_MARKS = re.compile("|".join(map(re.escape, (*OPENING, *CLOSING))))
_MARKS_IN_JSON = outside_strings((*OPENING, *CLOSING))
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")


class Harmony:
    """Reads the messages of one answer."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._held = ""
        self._at: Literal["header", "content", "reasoning", "call"] = "header"
        self._header = ""  # of a call, as it was written
        self._name = ""
        self._marks = Marks(_MARKS_IN_JSON)
        self._kind: Literal["content", "reasoning"] = "content"  # what text outside of calls is
        self._told_kinds: set[str] = set()
        self._fresh = False  # a message began and nothing of it was told yet
        self.asides = 0

    @property
    def reasoning(self) -> bool:
        """Whether the text is inside reasoning now."""
        return self._at == "reasoning"

    def feed(self, text: str) -> list[Part]:
        """Read more text. Returns what is certain by now."""
        self._held += text
        if self._at == "call" and ">" not in text:
            return []
        parts: list[Part] = []
        while (told := self._step()) is not None:
            parts += told
        return parts

    def _step(self) -> list[Part] | None:
        """What the text at hand says next, None when it needs more."""
        if self._at == "header":
            return self._on_header()
        return self._on_call() if self._at == "call" else self._on_text()

    def finish(self) -> list[Part]:
        """The text is over: a call that lacks only its closing mark counts, everything else held back is told."""
        held, self._held = self._held, ""
        if self._at == "call":
            return self._told_call(held, "")
        blank = self._at == "header" and self.asides > 0 and not held.strip()
        return self._told(held) if held and not blank else []

    def _on_header(self) -> list[Part] | None:
        header = _HEADER.match(self._held)
        if header and len(header[0].lstrip()) <= MAX_HEADER_CHARACTERS:
            self._held = self._held[header.end() :]
            self._begin(header[0])
            return []
        begin = self._held.lstrip()
        lead = next((lead for lead in _LEADS if begin.startswith(lead)), "")
        open_still = len(begin) <= MAX_HEADER_CHARACTERS and not _NO_HEADER.search(begin)
        if (lead and open_still and not header) or any(known.startswith(begin) for known in _LEADS):
            return None
        # no header: its first mark is text, and so is what follows
        self._at = self._kind
        cut = len(self._held) - len(begin) + len(lead)
        text, self._held = self._held[:cut], self._held[cut:]
        return self._told(text) if text else []

    def _begin(self, header: str) -> None:
        """A message begins."""
        recipient, channel = _RECIPIENT.search(header), _CHANNEL.search(header)
        self.asides += 1
        if recipient:
            self._at, self._header, self._name = "call", header, recipient[1].removeprefix("functions.")
            self._marks = Marks(_MARKS_IN_JSON)
        else:
            self._at = self._kind = "reasoning" if channel and channel[1] == "analysis" else "content"
            self._fresh = True

    def _on_text(self) -> list[Part] | None:
        """Text up to the next mark, less what may be the beginning of one."""
        mark = _MARKS.search(self._held)
        cut = mark.start() if mark else len(self._held) - overlap(self._held, (*OPENING, *CLOSING))
        text, self._held = self._held[:cut], self._held[cut:]
        told = self._told(text) if text else []
        if mark is None:
            return told or None
        self._at = "header"
        if mark[0] in CLOSING:
            self._close(mark[0])
        return told

    def _close(self, mark: str) -> None:
        """A message is over; its mark is dropped."""
        self._held = self._held[len(mark) :]
        self._kind = "content"
        self.asides += 1

    def _told(self, text: str) -> list[Part]:
        """Text of the message's kind, a paragraph away from that kind's last message."""
        gap = "\n\n" if self._fresh and self._kind in self._told_kinds else ""
        self._told_kinds.add(self._kind)
        self._fresh = False
        if self._kind == "content":
            return [gap + text]
        self.asides += 1
        return [Reasoning(text=gap + text)]

    def _on_call(self) -> list[Part] | None:
        mark = self._marks.next(self._held, 0)
        if mark is None:
            return None
        end = mark.end() if mark[0] in CLOSING else mark.start()
        body, closing, self._held = self._held[: mark.start()], self._held[mark.start() : end], self._held[end:]
        self._at, self._kind = "header", "content"
        return self._told_call(body, closing)

    def _told_call(self, body: str, closing: str) -> list[Part]:
        try:
            made = self._calls.made([called(self._name, loads(body))])
        except NOT_A_CALL:
            made = None
        return [self._header + body + closing] if made is None else list(made)
