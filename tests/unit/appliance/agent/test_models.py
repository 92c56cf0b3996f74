"""Model files at hand: told apart by their hash."""

import hashlib
import json
from pathlib import Path

from appliance.agent.config import ListedModel
from appliance.agent.models import CHUNK_BYTES, Catalog, HashCache, bundled_folder, scan, sha256_of
from iamine.ids import ModelId
from iamine.manifest import File, Manifest, Model, load
from mote.embedder.gguf import pieces

GGUF = b"GGUF" + b"x" * 96


def manifest(*parts: tuple[str, bytes]) -> Manifest:
    """A manifest of one model with these files."""
    files = tuple(File(path=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest()) for name, content in parts)
    model = Model(id=ModelId("known"), name="Known", tier="small", license="MIT", parameters=9, context=64, file=files)
    return Manifest(version=1, model=(model,) if files else ())


def look(folder: Path, known: Manifest, *listed: ListedModel) -> Catalog:
    return scan(known, data_dir=folder, models_dir=folder / "models", listed=listed)


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "models" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_bundled_model_is_at_hand_on_an_empty_machine(tmp_path: Path) -> None:
    (mote,) = look(tmp_path, load()).files
    assert (mote.model.id, mote.known, mote.path.parent) == ("mote", True, bundled_folder())


def test_a_bundled_file_that_is_missing_or_another_one_is_told(tmp_path: Path) -> None:
    def bundled(name: str) -> Manifest:
        file = File(path=name, bytes=1, sha256="ab" * 32)
        model = Model(
            id=ModelId("b"), name="B", tier="micro", license="MIT", parameters=1, context=1, bundled=True, file=(file,)
        )
        return Manifest(version=1, model=(model,))

    assert "missing" in look(tmp_path, bundled("none.gguf")).problems[0]
    assert "not the file of the manifest" in look(tmp_path, bundled("mote-Q8_0.gguf")).problems[0]


def test_a_file_is_known_by_its_hash_whatever_its_name(tmp_path: Path) -> None:
    path = put(tmp_path, "renamed.gguf", GGUF)
    (found,) = look(tmp_path, manifest(("a.gguf", GGUF))).files
    assert (found.model.id, found.path, found.known) == ("known", path, True)


def test_an_unknown_file_is_a_model_called_after_its_stem(tmp_path: Path) -> None:
    put(tmp_path, "mine.gguf", GGUF)
    (found,) = look(tmp_path, manifest()).files
    assert (found.model.id, found.known, found.model.tool_format, found.model.tier) == ("mine", False, "", "micro")
    assert found.model.file_sha256 == hashlib.sha256(GGUF).hexdigest()


def test_an_encoder_that_nobody_knows_is_no_model_that_chats(tmp_path: Path) -> None:
    content = b"".join(pieces({"general.architecture": "bert", "bert.context_length": 512}, {}))
    put(tmp_path, "encoder.gguf", content)
    (found,) = look(tmp_path, manifest()).files
    assert (found.model.kind, found.model.tier, found.model.context) == ("embedding", None, 512)


def test_an_unknown_file_never_takes_the_name_of_a_known_model(tmp_path: Path) -> None:
    put(tmp_path, "known.gguf", GGUF)
    (found,) = look(tmp_path, manifest(("a.gguf", GGUF + b"other"))).files
    assert found.model.id == f"known-{hashlib.sha256(GGUF).hexdigest()[:8]}"


def test_partial_damaged_and_foreign_files_are_told_and_left_out(tmp_path: Path) -> None:
    known = manifest(("a.gguf", GGUF))
    for content, told in (
        (GGUF[:50], "partial, 50 of 100"),
        (GGUF[:-1] + b"y", "damaged"),
        (b"<html>" + b" " * 94, "not a GGUF"),
    ):
        put(tmp_path, "a.gguf", content)
        catalog = look(tmp_path, known)
        assert catalog.files == ()
        assert told in catalog.problems[0]


def test_an_unfinished_download_is_told_and_hidden_files_are_not_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf.part", GGUF)
    put(tmp_path, ".a.gguf", GGUF)
    put(tmp_path, "notes.txt", b"")
    catalog = look(tmp_path, manifest())
    assert catalog.files == ()
    assert len(catalog.problems) == 1
    assert "unfinished" in catalog.problems[0]


def test_a_split_model_needs_all_its_parts_and_is_opened_by_the_first(tmp_path: Path) -> None:
    parts = [(f"m-0000{n}-of-00002.gguf", GGUF + bytes([n])) for n in (1, 2)]
    first = put(tmp_path, *parts[0])
    assert "1 of 2 parts" in look(tmp_path, manifest()).problems[0]
    put(tmp_path, *parts[1])
    (known,) = look(tmp_path, manifest(*parts)).files
    assert (known.model.id, known.path) == ("known", first)
    (unknown,) = look(tmp_path, manifest()).files
    assert (unknown.model.id, len(unknown.model.file)) == ("m", 2)


def test_the_same_file_counts_once_and_the_same_name_is_told(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf", GGUF)
    put(tmp_path, "b.gguf", GGUF)
    assert len(look(tmp_path, manifest()).files) == 1
    elsewhere = tmp_path / "a.gguf"
    elsewhere.write_bytes(GGUF + b"2")
    catalog = look(tmp_path, manifest(), ListedModel(path=str(elsewhere)))
    assert "already called a" in catalog.problems[0]


def test_the_config_says_what_an_unknown_file_is(tmp_path: Path) -> None:
    path = tmp_path / "e.gguf"
    path.write_bytes(GGUF)
    listed = ListedModel(path=str(path), id="minilm", kind="embedding", tool_format="mistral", reasoning_format="think")
    (found,) = look(tmp_path, manifest(), listed).files
    assert (found.model.id, found.model.kind, found.path) == ("minilm", "embedding", path)
    assert (found.model.tool_format, found.model.reasoning_format) == ("mistral", "think")


def test_listed_files_that_are_not_there_or_no_models_are_told(tmp_path: Path) -> None:
    path = tmp_path / "e.gguf"
    assert "no such file" in look(tmp_path, manifest(), ListedModel(path=str(path))).problems[0]
    path.write_bytes(b"nothing")
    assert "not a GGUF" in look(tmp_path, manifest(), ListedModel(path=str(path))).problems[0]


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    path = put(tmp_path, "a.gguf", GGUF)
    look(tmp_path, manifest())
    cache = tmp_path / "hashes.json"
    kept = json.loads(cache.read_text())
    kept[str(path)][2] = "cd" * 32
    cache.write_text(json.dumps(kept))
    assert look(tmp_path, manifest()).files[0].model.file_sha256 == "cd" * 32
    path.write_bytes(GGUF + b"!")
    assert look(tmp_path, manifest()).files[0].model.file_sha256 == hashlib.sha256(GGUF + b"!").hexdigest()


def test_a_damaged_cache_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "hashes.json").write_text("{")
    path = put(tmp_path, "a.gguf", GGUF)
    assert HashCache(tmp_path / "hashes.json").sha256(path) == hashlib.sha256(GGUF).hexdigest()


def test_hashing_a_big_file_tells_its_progress(tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(3 * CHUNK_BYTES)
    told: list[int] = []
    sha256_of(path, lambda path, done, total: told.append(done), every_bytes=2 * CHUNK_BYTES)
    assert told == [2 * CHUNK_BYTES]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = put(tmp_path, "a.gguf", b"")
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert look(tmp_path, manifest()).files == ()
    assert "cannot be read" in look(tmp_path, manifest(), ListedModel(path="/proc/self/mem")).problems[0]


def test_fetched_models_lie_in_folders_named_by_their_hash(tmp_path: Path) -> None:
    digest = hashlib.sha256(GGUF).hexdigest()
    kept = tmp_path / "models" / digest
    kept.mkdir(parents=True)
    (kept / "m.gguf").write_bytes(GGUF)
    (kept / "n.gguf.part").write_bytes(GGUF)
    other = tmp_path / "models" / "my own"
    other.mkdir()
    (other / "x.gguf").write_bytes(GGUF + b"x")
    catalog = look(tmp_path, manifest())
    assert [file.path for file in catalog.files] == [kept / "m.gguf"]
    assert catalog.problems == ()
