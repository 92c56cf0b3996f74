"""The agent's nouns: what is to be loaded and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iamine.ids import ModelId
from iamine.manifest import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model file to load and the limits to load it with.

    `threads` and `slots` 0 mean: the engine chooses. `context_tokens` is per slot; 0 means the model's own.
    `max_tps` caps every sequence's decode rate in tokens/s; None is no cap. `exact` promises serial = batched = continued.
    """

    model: ModelId
    path: Path
    file_sha256: str
    kind: Literal["chat", "completion", "embedding"] = "chat"
    tool_format: Literal["", "hermes"] = ""
    exact: bool = False
    slots: int = 0
    context_tokens: int = 0
    threads: int = 0
    gpu_layers: int = 0
    max_tps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model that is at hand: its entry, the file to open, and whether the manifest knows it by hash."""

    model: Model
    path: Path
    known: bool
