"""Which model files are at hand: the bundled one, those in DATA_DIR/models, and those listed in the config."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec

from appliance.agent.config import ListedModel
from appliance.agent.gguf import NotGguf, Shape, read_shape
from appliance.agent.types import ModelFile
from iamine.ids import ModelId
from iamine.manifest import File, Manifest, Model, Tier

CACHE_NAME = "hashes.json"
MAGIC = b"GGUF"
CHUNK_BYTES = 4 << 20
TOLD_BYTES = 256 << 20  # progress is told this often while a file is hashed
BYTES_PER_PARAMETER = 0.6  # Q4_K_M with its tables
ENCODERS = frozenset({"bert", "jina-bert-v2", "modern-bert", "neo-bert", "nomic-bert", "nomic-bert-moe"})  # they write no text
PARTIAL_SUFFIXES = frozenset({".part", ".partial", ".tmp", ".download", ".crdownload"})
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")
_TIER_BYTES: tuple[tuple[float, Tier], ...] = ((1.2e9, "micro"), (4e9, "small"), (13e9, "medium"), (40e9, "large"))
_LARGEST: Tier = "xlarge"

Progress = Callable[[Path, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The models at hand, and what is wrong with the files that are none."""

    files: tuple[ModelFile, ...]
    problems: tuple[str, ...]


def bundled_folder() -> Path:
    """Where the files that ship with the agent lie."""
    return Path(str(resources.files("appliance.agent"))) / "data"


def scan(
    manifest: Manifest,
    *,
    data_dir: Path,
    models_dir: Path,
    listed: Sequence[ListedModel] = (),
    on_progress: Progress | None = None,
) -> Catalog:
    """Every model at hand, each file checked by its hash. `on_progress(path, done, total)` is told about big files."""
    hashes = HashCache(data_dir / CACHE_NAME, on_progress)
    problems: list[str] = []
    files = _bundled(manifest, problems)
    for group in _groups(_candidates(models_dir, problems)):
        _add(_identify(group, manifest, hashes, problems), files, problems)
    for entry in listed:
        _add(_listed(entry, manifest, hashes, problems), files, problems)
    hashes.save()
    return Catalog(files=tuple(files), problems=tuple(problems))


class HashCache:
    """SHA-256 of files, remembered by path, size and time of change."""

    def __init__(self, path: Path, on_progress: Progress | None = None) -> None:
        self._path = path
        self._told = on_progress or (lambda path, done, total: None)
        self._known: dict[str, tuple[int, int, str]] = {}
        self._changed = False
        with suppress(OSError, msgspec.DecodeError):
            self._known = msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[int, int, str]])

    def sha256(self, path: Path) -> str:
        """The file's hash in hexadecimal, read only if the file changed since. Raises OSError."""
        stat, key = path.stat(), str(path.absolute())
        size, changed, digest = self._known.get(key, (-1, -1, ""))
        if (size, changed) != (stat.st_size, stat.st_mtime_ns):
            digest = sha256_of(path, self._told)
            self._known[key] = (stat.st_size, stat.st_mtime_ns, digest)
            self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learnt, atomically; without a writable folder the next start hashes again."""
        if not self._changed:
            return
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_text(json.dumps({key: value for key, value in self._known.items() if Path(key).exists()}))
            draft.replace(self._path)


def sha256_of(path: Path, on_progress: Progress, every_bytes: int = TOLD_BYTES) -> str:
    """The SHA-256 of a file, read in chunks; progress is told each `every_bytes`."""
    digest, done, told, total = hashlib.sha256(), 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if done - told >= every_bytes:
                on_progress(path, done, total)
                told = done
    return digest.hexdigest()


# ---- finding ----------------------------------------------------------------------------------------------------------


def _bundled(manifest: Manifest, problems: list[str]) -> list[ModelFile]:
    found = []
    for model in (model for model in manifest.model if model.bundled):
        path = bundled_folder() / model.file[0].path
        if not path.is_file():
            problems.append(f"{model.id}: its bundled file {path} is missing; install IAMINE again")
        elif sha256_of(path, lambda path, done, total: None) != model.file_sha256:
            problems.append(f"{model.id}: {path} is not the file of the manifest (other SHA-256); install IAMINE again")
        else:
            found.append(ModelFile(model=model, path=path, known=True))
    return found


def _candidates(folder: Path, problems: list[str]) -> list[Path]:
    """The .gguf files of the models folder; unfinished downloads are told."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []
    paths += _fetched(folder)
    problems.extend(
        f"{path}: an unfinished download; finish it, or delete it" for path in paths if path.suffix.lower() in PARTIAL_SUFFIXES
    )
    return [path for path in paths if path.suffix.lower() == ".gguf" and not path.name.startswith(".")]


def _fetched(folder: Path) -> list[Path]:
    """The files in the folders that bear a hash (the fetch keeps models there); unfinished ones are its own business."""
    kept = [each for each in sorted(folder.iterdir()) if re.fullmatch(r"[0-9a-f]{64}", each.name) and each.is_dir()]
    return [path for each in kept for path in sorted(each.iterdir()) if path.suffix.lower() == ".gguf"]


def _groups(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Single files, and the shards of split files together, in order."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(str(path.with_name(_SHARD.sub("", path.stem))), []).append(path)
    return [tuple(group) for group in groups.values()]


def _add(found: ModelFile | None, files: list[ModelFile], problems: list[str]) -> None:
    """Take a model in, once by hash and once by name."""
    if found is None or any(found.model.file_sha256 == other.model.file_sha256 for other in files):
        return
    if any(found.model.id == other.model.id for other in files):
        problems.append(f"{found.path}: another file is already called {found.model.id}; rename one of them")
        return
    files.append(found)


def _identify(paths: tuple[Path, ...], manifest: Manifest, hashes: HashCache, problems: list[str]) -> ModelFile | None:
    """What the files are: an entry of the manifest by hash, or a model of their own; None (and a problem) for neither."""
    try:
        if problem := _unusable(paths, manifest):
            problems.append(problem)
            return None
        files = tuple(File(path=path.name, bytes=path.stat().st_size, sha256=hashes.sha256(path)) for path in paths)
    except OSError as error:
        problems.append(f"{paths[0]}: cannot be read ({error.strerror}); check its permissions")
        return None
    found = {(file.bytes, file.sha256) for file in files}
    for model in manifest.model:
        if {(file.bytes, file.sha256) for file in model.file} == found:
            return ModelFile(model=model, path=_opened(model, files, paths), known=True)
    for path, file in zip(paths, files, strict=True):
        if _expected(manifest, path.name) == file.bytes:
            problems.append(f"{path}: right size but other SHA-256 than in the manifest: damaged; delete and fetch it again")
            return None
    return ModelFile(model=unknown_model(files, manifest, paths[0]), path=paths[0], known=False)


def _opened(model: Model, files: tuple[File, ...], paths: tuple[Path, ...]) -> Path:
    return next(path for path, file in zip(paths, files, strict=True) if file.sha256 == model.file_sha256)


def _unusable(paths: tuple[Path, ...], manifest: Manifest) -> str:
    """Why the files cannot be used, seen without hashing them; an empty text when they may be."""
    for path in paths:
        size, expected = path.stat().st_size, _expected(manifest, path.name)
        if expected is not None and size < expected:
            return f"{path}: partial, {size} of {expected} bytes; finish the download, or delete it"
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return f"{path}: not a GGUF file; delete it, or fetch it again"
    shards = [match for path in paths if (match := _SHARD.search(path.stem))]
    if shards and [int(shard[1]) for shard in shards] != list(range(1, int(shards[0][2]) + 1)):
        return f"{paths[0]}: {len(shards)} of {int(shards[0][2])} parts of this model are there; fetch the others"
    return ""


def _expected(manifest: Manifest, name: str) -> int | None:
    """The size of the manifest's file of this name."""
    return next((file.bytes for model in manifest.model for file in model.file if Path(file.path).name == name), None)


def unknown_model(files: tuple[File, ...], manifest: Manifest, path: Path | None = None) -> Model:
    """An entry for a file that the manifest does not know: named by its stem, its needs from its header, else from its size."""
    stem = _SHARD.sub("", Path(files[0].path).stem)
    size = sum(file.bytes for file in files)
    name = stem if manifest.find(stem) is None else f"{stem}-{files[0].sha256[:8]}"
    tier: Tier | None = next((tier for most, tier in _TIER_BYTES if size <= most), _LARGEST)
    parameters = max(1, round(size / BYTES_PER_PARAMETER))
    shape = _shape(path) if path else None
    embeds = shape is not None and shape.architecture in ENCODERS
    return Model(
        id=ModelId(name),
        name=stem,
        kind="embedding" if embeds else "chat",
        tier=None if embeds else tier,
        license="unknown",
        parameters=parameters,
        context=shape.context_tokens if shape else 0,
        architecture=shape.architecture if shape else "",
        kv_bytes_per_token=shape.kv_bytes_per_token if shape else 0,
        base_bytes=shape.base_bytes if shape else 0,
        file=files,
    )


def _shape(path: Path) -> Shape | None:
    try:
        return read_shape(path)
    except (OSError, NotGguf):
        return None  # the fit estimates from the size


def _listed(entry: ListedModel, manifest: Manifest, hashes: HashCache, problems: list[str]) -> ModelFile | None:
    """A model named in the config: the config's word on id, kind and formats counts."""
    path = Path(entry.path)
    if not path.is_file():
        problems.append(f"{path}: listed in the config, but there is no such file; correct the path")
        return None
    found = _identify((path,), manifest, hashes, problems)
    if found is None:
        return None
    kind = entry.kind if not found.known else found.model.kind
    model = msgspec.structs.replace(
        found.model,
        id=ModelId(entry.id) if entry.id else found.model.id,
        kind=kind,
        tier=None if kind == "embedding" else found.model.tier,
        tool_format=entry.tool_format or found.model.tool_format,
        reasoning_format=entry.reasoning_format or found.model.reasoning_format,
    )
    return ModelFile(model=model, path=path, known=found.known)
