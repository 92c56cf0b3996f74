"""The manifest: which model files are known, by hash, and what each needs; bundled as models.toml, read strictly."""

import sys
from datetime import date
from importlib import resources
from typing import Literal

import msgspec

from iamine.errors import IamineError
from iamine.ids import ModelId

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover (only 3.10 comes here)
    import tomli as tomllib

Tier = Literal["micro", "small", "medium", "large", "xlarge"]
TIERS: tuple[Tier, ...] = ("micro", "small", "medium", "large", "xlarge")
ToolFormat = Literal["", "hermes", "qwen-coder", "llama3", "mistral", "harmony"]  # pool/toolcalls reads them
ReasoningFormat = Literal["", "think", "harmony"]
MANIFEST_VERSION = 1
_SHA256_DIGITS = 64
_REVISION_DIGITS = 40
_HEX = frozenset("0123456789abcdef")


class ManifestError(IamineError):
    """The manifest is not in order; nothing of it is used."""

    hint = "install IAMINE again: models.toml belongs to the package and is not meant to be edited"


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the manifest; an unknown key is an error."""


class File(_Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a model, known by its hash."""

    path: str
    bytes: int
    sha256: str


class Model(_Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as the manifest knows it; a split model has several files, the first is the one to open.

    `kv_bytes_per_token` (f16, one sequence), `slot_bytes` (recurrent state of one sequence) and `base_bytes` (buffers beside
    the weights) are 0 where unknown or none; `exact_bytes_per_token` is what exact mode's scores take per token of a context.
    `active_parameters` 0 means dense; `context` 0 means unknown. `repo` and `revision` name a source without a host; an
    embedder made by a recipe has none.
    `architecture` is the file's general.architecture, `template` the family of its chat template. Embedders have no tier.
    """

    id: ModelId
    name: str
    tier: Tier | None = None
    license: str
    parameters: int
    context: int
    architecture: str = ""
    template: str = ""
    active_parameters: int = 0
    kind: Literal["chat", "completion", "embedding"] = "chat"
    tool_format: ToolFormat = ""
    reasoning_format: ReasoningFormat = ""
    bundled: bool = False
    repo: str = ""
    revision: str = ""
    kv_bytes_per_token: int = 0
    base_bytes: int = 0
    slot_bytes: int = 0
    exact_bytes_per_token: int = 0
    min_engine: str = ""
    file: tuple[File, ...]

    @property
    def total_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.bytes for file in self.file)

    @property
    def file_sha256(self) -> str:
        """What names this model on the wire: the hash of the file that is opened."""
        return self.file[0].sha256


class Manifest(_Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All known models, in the order of the file. `version` is the format's; of two manifests the higher `serial` is the newer.

    After `expires` a manifest that came from elsewhere is not taken any more (the one that ships is).
    """

    version: int
    serial: int = 0
    expires: date | None = None
    model: tuple[Model, ...] = ()

    def find(self, model: str) -> Model | None:
        """The entry with this id, or None."""
        return next((entry for entry in self.model if entry.id == model), None)


def parse(text: str) -> Manifest:
    """The manifest in a TOML text. Raises ManifestError naming the entry and what is wrong with it."""
    try:
        manifest = msgspec.convert(tomllib.loads(text), Manifest)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ManifestError(f"models.toml: {error}") from error
    if manifest.version != MANIFEST_VERSION:
        raise ManifestError(
            f"models.toml has version {manifest.version}; this program reads {MANIFEST_VERSION}", hint="update IAMINE"
        )
    for model in manifest.model:
        if problem := _problem(model):
            raise ManifestError(f"models.toml: model {model.id!r}: {problem}")
    _unique("model id", [model.id for model in manifest.model])
    _unique("sha256", [file.sha256 for model in manifest.model for file in model.file])
    return manifest


def bundled_text() -> str:
    """The text of the manifest that ships with this package."""
    return resources.files("iamine").joinpath("models.toml").read_text(encoding="utf-8")


def load() -> Manifest:
    """The manifest that ships with this package."""
    return parse(bundled_text())


def _problem(model: Model) -> str:
    """What is wrong with an entry in itself, or an empty text."""
    if not model.id or model.parameters < 1 or model.context < 0:
        return "id, parameters and context must be set"
    if not 0 <= model.active_parameters <= model.parameters:
        return "active_parameters must lie between 0 and parameters"
    if (model.tier is None) != (model.kind == "embedding"):
        return "a model that writes has a tier, an embedder has none"
    if not model.file:
        return "it has no file"
    made_here = model.kind == "embedding" and not model.repo  # by a recipe of ours; no hub has it
    if not model.bundled and not made_here and not (model.repo and _is_hex(model.revision, _REVISION_DIGITS)):
        return f"repo and a pinned revision of {_REVISION_DIGITS} hexadecimal digits are needed"
    for file in model.file:
        if not file.path or file.bytes < 1 or not _is_hex(file.sha256, _SHA256_DIGITS):
            return f"file {file.path!r} needs a path, its bytes and a SHA-256 in lower case"
    return ""


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.issuperset(text)


def _unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ManifestError(f"models.toml: {what} {name!r} stands there twice")
