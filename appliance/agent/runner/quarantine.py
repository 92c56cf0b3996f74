"""Files that keep killing their engine: told by a small JSON file each, lifted by deleting it."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.agent.types import ModelSpec

CRASHES = 3
WINDOW_S = 600.0
JOBS_BETWEEN = 100  # an engine that finished so many jobs since its first crash has shown that the file is good


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """An engine that died: when (monotonic seconds), and how many jobs its model had finished by then."""

    at: float
    jobs_done: int


def is_dangerous(crashes: Sequence[Crash]) -> bool:
    """Whether the last CRASHES fell within WINDOW_S and fewer than JOBS_BETWEEN jobs ended between them."""
    if len(crashes) < CRASHES:
        return False
    first, last = crashes[-CRASHES], crashes[-1]
    return last.at - first.at <= WINDOW_S and last.jobs_done - first.jobs_done < JOBS_BETWEEN


class Quarantine:
    """A folder with one JSON file per quarantined model file, named by its SHA-256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, spec: ModelSpec) -> Path:
        """Where the note about this model's file is, or would be."""
        return self._folder / f"{spec.file_sha256}.json"

    def holds(self, spec: ModelSpec) -> bool:
        return self.path(spec).exists()

    def add(self, spec: ModelSpec, *, now: float, last_words: str) -> Path:
        """Writes the note; `now` in seconds since 1970. Returns its path."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path, new = self.path(spec), self.path(spec).with_suffix(".new")
        note = {
            "model": spec.model,
            "file": str(spec.path),
            "file_sha256": spec.file_sha256,
            "since": now,
            "why": f"its engine died {CRASHES} times within {WINDOW_S / 60:.0f} minutes",
            "last_words": last_words,
            "to lift": "delete this file",
        }
        new.write_text(json.dumps(note, indent=2) + "\n")
        os.replace(new, path)  # noqa: PTH105  # atomic: a half-written note would still quarantine, but tell nothing
        return path
