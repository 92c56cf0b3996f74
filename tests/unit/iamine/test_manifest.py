"""The manifest is read strictly, and the bundled one is true."""

import hashlib
from pathlib import Path

import pytest

import appliance.agent
from iamine.manifest import TIERS, ManifestError, Model, Tier, load, parse

SHA = "ab" * 32
REVISION = "cd" * 20
ENTRY = f"""
version = 1
[[model]]
id = "m"
name = "M"
tier = "small"
license = "MIT"
parameters = 10
context = 128
repo = "who/m"
revision = "{REVISION}"
[[model.file]]
path = "m.gguf"
bytes = 5
sha256 = "{SHA}"
"""


def test_an_entry_is_read_whole() -> None:
    model = parse(ENTRY).model[0]
    assert (model.id, model.total_bytes, model.file_sha256) == ("m", 5, SHA)


def test_a_model_is_found_by_its_id_only() -> None:
    manifest = parse(ENTRY)
    assert manifest.find("m") is manifest.model[0]
    assert manifest.find("other") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "M"', 'name = "M"\ncolour = "red"', "colour"),
        ('tier = "small"', 'tier = "tiny"', "tiny"),
        ('tier = "small"', 'tier = "small"\ntool_format = "smoke"', "tool_format"),
        ('tier = "small"', 'tier = "small"\nreasoning_format = "smoke"', "reasoning_format"),
        ("version = 1", "version = 2", "version 2"),
        ("version = 1", "version = ", "models.toml"),
        ('id = "m"', 'id = ""', "id, parameters"),
        ("parameters = 10", "parameters = 0", "id, parameters"),
        ("parameters = 10", "parameters = 10\nactive_parameters = 11", "active_parameters"),
        (REVISION, "main", "revision"),
        (SHA, SHA.upper(), "SHA-256"),
        (SHA, "abc", "SHA-256"),
        ("bytes = 5", "bytes = 0", "SHA-256"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said) as caught:
        parse(ENTRY.replace(old, new, 1))
    assert caught.value.hint


def test_only_an_embedder_has_no_tier() -> None:
    with pytest.raises(ManifestError, match="an embedder has none"):
        parse(ENTRY.replace('tier = "small"', ""))
    with pytest.raises(ManifestError, match="an embedder has none"):
        parse(ENTRY.replace('name = "M"', 'name = "M"\nkind = "embedding"'))
    assert parse(ENTRY.replace('tier = "small"', 'kind = "embedding"')).model[0].tier is None


def test_an_embedder_may_be_made_by_a_recipe_that_no_hub_has() -> None:
    made = ENTRY.replace('repo = "who/m"\n', "").replace(f'revision = "{REVISION}"\n', "")
    assert not parse(made.replace('tier = "small"', 'kind = "embedding"')).model[0].repo
    with pytest.raises(ManifestError, match="revision"):
        parse(made)
    unpinned = ENTRY.replace(REVISION, "").replace('tier = "small"', 'kind = "embedding"')
    with pytest.raises(ManifestError, match="revision"):
        parse(unpinned)


def test_a_model_needs_a_file() -> None:
    with pytest.raises(ManifestError, match="no file"):
        parse(ENTRY[: ENTRY.index("[[model.file]]")] + "file = []\n")


def test_ids_and_hashes_are_unique() -> None:
    second = ENTRY.replace("version = 1", "")
    with pytest.raises(ManifestError, match="model id 'm'"):
        parse(ENTRY + second)
    with pytest.raises(ManifestError, match="sha256"):
        parse(ENTRY + second.replace('id = "m"', 'id = "n"'))


def test_the_bundled_manifest_has_every_tier_and_no_host() -> None:
    manifest = load()
    assert {model.tier for model in manifest.model} == {*TIERS, None}
    from_hubs = [model for model in manifest.model if not model.bundled and model.kind != "embedding"]
    assert all("://" not in model.repo and model.repo.count("/") == 1 for model in from_hubs)


def test_the_bundled_model_is_the_file_that_ships() -> None:
    mote = load().find("mote")
    assert mote is not None
    assert mote.bundled
    content = (Path(appliance.agent.__file__).parent / "data" / mote.file[0].path).read_bytes()
    recorded = (mote.file[0].bytes, mote.file[0].sha256)
    assert recorded == (len(content), hashlib.sha256(content).hexdigest()), "record the new file: see iamine/models.toml"


SIZES: dict[Tier, tuple[float, float]] = {
    "micro": (0, 2e9), "small": (2e9, 4.1e9), "medium": (7e9, 15e9), "large": (20e9, 40e9), "xlarge": (70e9, 1e13),
}  # fmt: skip


@pytest.mark.parametrize("model", [each for each in load().model if each.kind == "chat"], ids=lambda model: model.id)
def test_every_model_has_the_tier_of_its_size_and_names_what_reads_it(model: Model) -> None:
    assert model.tier is not None
    least, most = SIZES[model.tier]
    assert least <= model.parameters < most
    assert model.architecture
    assert model.template
    tools = model.tool_format or model.id in {"phi-4-mini-instruct", "lfm2.5-1.2b-instruct", "phi-4-reasoning-plus"}
    assert tools, "name the format of its tool calls, or leave the model out"


def test_brackets_without_end_are_no_manifest() -> None:
    with pytest.raises(ManifestError):
        parse("version = " + "[" * 5000)
