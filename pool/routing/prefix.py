"""Which worker has read how much of a prompt already: a bounded memory of hashes of beginnings, never of text.

What an engine really keeps is its own business, and it says so with each `Started`; this is only a guess that decides
near-ties. Beginnings are compared by bytes at fixed lengths, each half as long again, so a prompt has at most 25 marks.
"""

import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from iamine.ids import WorkerId
from iamine.wire.messages import ChatWork, CompletionWork, EmbeddingWork, Work

LENGTHS = tuple(sorted(step << power for step in (256, 384) for power in range(13)))[:25]  # bytes, up to 1 MiB
BYTES_PER_TOKEN = 4
MOST_PLACES = 8  # workers remembered for one beginning: the last ones
MOST_MARKS = 128  # beginnings remembered for one worker's file

Holder = tuple[WorkerId, str]  # a worker, and the file that read it


@dataclass(frozen=True, slots=True)
class Mark:
    """A beginning: its hash, and about how many tokens it has."""

    digest: bytes
    tokens: int


def marks(work: Work) -> tuple[Mark, ...]:
    """The beginnings of a prompt, the shortest first. Embeddings keep nothing."""
    found: list[Mark] = []
    state, start, text = blake2b(digest_size=12), 0, _bytes(work)
    for length in LENGTHS:
        if length > len(text):
            break
        state.update(text[start:length])
        start = length
        found.append(Mark(digest=state.digest(), tokens=length // BYTES_PER_TOKEN))
    return tuple(found)


class Prefixes:
    """Who served which beginnings last."""

    def __init__(self) -> None:
        self._holders: dict[bytes, OrderedDict[Holder, None]] = {}
        self._marks: dict[Holder, OrderedDict[bytes, None]] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def remember(self, holder: Holder, read: Sequence[Mark]) -> None:
        """The holder has read all of these."""
        kept = self._marks.setdefault(holder, OrderedDict())
        for mark in read:
            kept[mark.digest] = None
            kept.move_to_end(mark.digest)
            holders = self._holders.setdefault(mark.digest, OrderedDict())
            holders[holder] = None
            holders.move_to_end(holder)
            if len(holders) > MOST_PLACES:
                other, _ = holders.popitem(last=False)
                self._marks[other].pop(mark.digest)
        while len(kept) > MOST_MARKS:
            self._drop(holder, kept.popitem(last=False)[0])

    def forget(self, holder: Holder) -> None:
        """The holder is gone, and what it had read with it."""
        for digest in self._marks.pop(holder, ()):
            self._drop(holder, digest)

    def cached(self, wanted: Sequence[Mark]) -> dict[Holder, int]:
        """About how many tokens of the prompt each holder has; those that have none are left out."""
        found: dict[Holder, int] = {}
        for mark in reversed(wanted):
            for holder in self._holders.get(mark.digest, ()):
                found.setdefault(holder, mark.tokens)
        return found

    def _drop(self, holder: Holder, digest: bytes) -> None:
        holders = self._holders[digest]
        del holders[holder]
        if not holders:
            del self._holders[digest]


def _bytes(work: Work) -> bytes:
    match work:
        case ChatWork(messages=messages, tools=tools):
            return bytes(tools) + bytes(messages)
        case CompletionWork(prompt=prompt):
            if isinstance(prompt, str):
                return prompt.encode(errors="surrogatepass")
            return struct.pack(f"<{len(prompt)}I", *(token & 0xFFFFFFFF for token in prompt))
        case EmbeddingWork():
            return b""
