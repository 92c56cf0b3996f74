"""What is to be loaded, and why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from fakes.machines import card, made

from appliance.agent.config import ListedModel, Settings
from appliance.agent.fit import EMBEDDING_SLOTS
from appliance.agent.machine import Device, Hardware
from appliance.agent.plan import ALL_LAYERS, how, plan
from appliance.agent.types import ModelFile
from appliance.agent.verdict import Verdict
from iamine.ids import ModelId
from iamine.manifest import File, Model

GB = 10**9
DATA = Path("/data")


def settings(**given: Any) -> Settings:
    return Settings(data_dir=DATA, models_dir=DATA / "models", **given)


def file(name: str, *, size: int = GB, parameters: int = 10**9, kind: str = "chat", bundled: bool = False) -> ModelFile:
    digest = f"{abs(hash(name)):064x}"[-64:]
    model = Model(
        id=ModelId(name), name=name, tier="small", license="MIT", parameters=parameters, context=8192, bundled=bundled,
        kind="embedding" if kind == "embedding" else "chat", kv_bytes_per_token=65536,
        file=(File(path=f"{name}.gguf", bytes=size, sha256=digest),),
    )  # fmt: skip
    return ModelFile(model=model, path=DATA / f"{name}.gguf", known=True)


def machine(available: int = 32 * GB, *cards: Device, cores: float = 3.5) -> Hardware:
    return made(available, *cards, cores=cores)


def listed(*files: ModelFile) -> tuple[ListedModel, ...]:
    return tuple(ListedModel(path=str(each.path)) for each in files)


SMALL, LARGE, EMBEDDER = file("small", parameters=10), file("large", bundled=True), file("emb", size=10**7, kind="embedding")


def test_the_best_at_hand_is_loaded_with_slots_context_and_threads() -> None:
    found = plan(settings(), machine(), [SMALL, LARGE, EMBEDDER])
    spec = found.specs[0]
    assert (spec.model, spec.slots, spec.context_tokens, spec.threads) == ("large", 8, 8192, 3)
    assert (spec.gpu_layers, spec.max_tps, spec.exact) == (0, None, True)
    assert found.reasons[0].startswith("large: needs")


def test_the_model_asked_for_is_loaded() -> None:
    found = plan(settings(model="small", max_tps=5.0, exact=True, threads=1), machine(), [SMALL, LARGE])
    (spec,) = found.specs
    assert (spec.model, spec.max_tps, spec.exact, spec.threads) == ("small", 5.0, True, 1)
    assert "asked for" in found.reasons[0]


def test_a_model_that_is_not_at_hand_is_said_so_with_what_is() -> None:
    found = plan(settings(model="other"), machine(), [SMALL])
    assert "not at hand (at hand: small)" in found.problem
    assert "/data/models" in found.hint
    assert "none" in plan(settings(model="other"), machine(), []).problem


def test_without_any_file_it_is_said_where_to_put_one() -> None:
    assert "/data/models" in plan(settings(), machine(), []).hint


def test_what_does_not_fit_is_not_loaded() -> None:
    for chosen in (settings(), settings(model="large")):
        found = plan(chosen, machine(GB), [LARGE])
        assert not found.specs
        assert "needs" in found.problem
        assert found.hint


def test_listed_models_are_all_loaded_and_an_embedder_comes_beside_the_best() -> None:
    both = plan(settings(models=listed(SMALL, LARGE)), machine(), [SMALL, LARGE])
    assert [spec.model for spec in both.specs] == ["small", "large"]
    beside = plan(settings(models=listed(EMBEDDER)), machine(), [SMALL, LARGE, EMBEDDER])
    assert [(spec.model, spec.kind) for spec in beside.specs] == [("emb", "embedding"), ("large", "chat")]
    assert beside.specs[0].slots == EMBEDDING_SLOTS


def test_of_the_listed_models_only_the_one_asked_for_chats() -> None:
    chosen = settings(model="small", models=listed(SMALL, LARGE, EMBEDDER))
    assert [spec.model for spec in plan(chosen, machine(), [SMALL, LARGE, EMBEDDER]).specs] == ["small", "emb"]


def test_what_is_loaded_first_leaves_less_for_the_next() -> None:
    found = plan(settings(models=listed(SMALL, LARGE)), machine(round(3.5 * GB)), [SMALL, LARGE])
    assert "large (listed in the config) needs" in found.problem
    tight = machine(GB, card("A", 6 * GB, round(2.4 * GB)))
    found = plan(settings(gpu=True, models=listed(SMALL, LARGE)), tight, [SMALL, LARGE])
    assert "large (listed in the config) needs" in found.problem


def test_a_gpu_takes_all_layers() -> None:
    with_cards = machine(
        8 * GB, card("A", 24 * GB, 23 * GB, engine_name="CUDA0"), card("B", 8 * GB, 7 * GB, engine_name="CUDA1")
    )
    (spec,) = plan(settings(), with_cards, [SMALL]).specs
    assert (spec.gpu_layers, spec.devices, spec.exact) == (ALL_LAYERS, ("CUDA0", "CUDA1"), False)
    (spec,) = plan(settings(gpu=False), with_cards, [SMALL]).specs
    assert (spec.gpu_layers, spec.devices) == (0, ())


def test_what_is_promised_exact_runs_on_the_processor() -> None:
    with_card = machine(8 * GB, card("A", 24 * GB, 23 * GB))
    for found in (plan(settings(), with_card, [LARGE]), plan(settings(exact=True), with_card, [SMALL])):
        (spec,) = found.specs
        assert (spec.gpu_layers, spec.devices, spec.exact) == (0, (), True)
    (spec,) = plan(settings(), machine(round(2 * GB), card("A", 24 * GB, 23 * GB)), [LARGE]).specs
    assert (spec.gpu_layers, spec.exact) == (ALL_LAYERS, False)  # bundled, but too large for what is left of the memory
    assert "processor" in how(settings(exact=True), with_card)


def test_slots_and_context_can_be_set() -> None:
    more = plan(settings(slots=16), machine(), [LARGE]).specs[0]
    assert more.slots == 16
    assert more.slots * more.context_tokens <= 8 * 8192
    fewer = plan(settings(slots=2), machine(), [LARGE]).specs[0]
    assert (fewer.slots, fewer.context_tokens) == (2, 8192)
    short = plan(settings(context_tokens=100_000), machine(), [LARGE]).specs[0]
    assert short.context_tokens == 8192


def verdict(of: ModelFile, **told: Any) -> Verdict:
    return Verdict(model=of.model.id, file_sha256=of.model.file_sha256, at=1.0, **told)


SLOW = verdict(LARGE, decode_tps=3.1, expected_tps=8.0)


def test_what_was_measured_speaks_against_a_file_that_nobody_asked_for() -> None:
    known = {LARGE.model.file_sha256: SLOW, SMALL.model.file_sha256: verdict(SMALL, decode_tps=30.0)}
    found = plan(settings(), machine(), [SMALL, LARGE], known)
    assert [spec.model for spec in found.specs] == ["small"]
    said = "; large measured 3.1 tokens/s where 8.0 were expected: using small instead"
    assert found.reasons[0].endswith(said)
    asked = plan(settings(model="large"), machine(), [SMALL, LARGE], known)
    assert [spec.model for spec in asked.specs] == ["large"]
    alone = plan(settings(), machine(), [LARGE], known)
    assert ([spec.model for spec in alone.specs], "instead" in alone.reasons[0]) == (["large"], False)


def test_when_every_file_has_failed_that_is_said_with_what_to_try() -> None:
    known = {LARGE.model.file_sha256: verdict(LARGE, failure="no memory")}
    found = plan(settings(), machine(), [LARGE], known)
    assert (found.specs, found.problem) == ((), "large did not load here (no memory)")
    assert "--fresh" in found.hint


def test_a_spec_knows_what_is_expected_of_it() -> None:
    assert plan(settings(), machine(), [LARGE]).specs[0].expected_tps > 0


def test_settings_that_change_the_speed_are_told_apart() -> None:
    with_card = machine(8 * GB, card("A", 24 * GB, 23 * GB))
    ways = [how(settings(), machine()), how(settings(threads=1), machine()), how(settings(exact=True), machine())]
    ways += [how(settings(), with_card)]
    assert ways[0] == "processor, 3 threads"
    assert len(set(ways)) == 4
    assert how(settings(gpu=False), with_card) == ways[0]


def test_an_embedder_at_hand_is_loaded_beside_the_model_that_chats() -> None:
    found = plan(settings(), machine(), [SMALL, LARGE, EMBEDDER])
    assert [(spec.model, spec.slots, spec.context_tokens) for spec in found.specs][1:] == [("emb", 4, 8192)]
    assert "emb: beside it, for embeddings; needs" in found.reasons[1]
    unknown = replace(EMBEDDER, known=False)
    assert [spec.model for spec in plan(settings(), machine(), [LARGE, unknown]).specs] == ["large"]
    bad = {EMBEDDER.model.file_sha256: Verdict(model="emb", file_sha256=EMBEDDER.model.file_sha256, at=0, failure="it died")}
    assert [spec.model for spec in plan(settings(), machine(), [LARGE, EMBEDDER], bad).specs] == ["large"]


def test_an_embedder_never_costs_the_better_model() -> None:
    small, large = file("small", parameters=10), file("large", size=13 * GB // 10, parameters=10**9)
    for free in range(GB, 6 * GB, GB // 50):
        alone = plan(settings(), machine(free), [small, large])
        beside = plan(settings(), machine(free), [small, large, EMBEDDER])
        assert [spec.model for spec in beside.specs if spec.kind == "chat"] == [spec.model for spec in alone.specs]
    plans = (plan(settings(), machine(free), [small, large, EMBEDDER]) for free in range(GB, 6 * GB, GB // 50))
    tight = next(found for found in plans if "large" in [spec.model for spec in found.specs])
    assert tight.reasons[1].startswith("emb: left out; it needs ") and "beside it large would not fit" in tight.reasons[1]


def test_beside_a_full_card_the_embedder_goes_to_the_processor() -> None:
    most = next(free for free in range(GB, 4 * GB, GB // 100) if plan(settings(gpu=True), full_card(free), [SMALL]).specs)
    chat, embedder = plan(settings(), full_card(most), [SMALL, EMBEDDER]).specs
    assert (chat.model, chat.gpu_layers, embedder.gpu_layers) == ("small", ALL_LAYERS, 0)
    shared = machine(4 * GB, card("iGPU", 8 * GB, 8 * GB, shared=True))
    assert [spec.gpu_layers for spec in plan(settings(), shared, [SMALL, EMBEDDER]).specs] == [ALL_LAYERS, ALL_LAYERS]


def full_card(free: int) -> Hardware:
    return machine(8 * GB, card("A", 4 * GB, free))
