"""What fits a machine."""

from pathlib import Path

import pytest
from fakes.machines import NAMES, card, look_at, made
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent import fit
from iamine.ids import ModelId
from iamine.manifest import File, Model, Tier, load

GB = 10**9
EXPECTED = {  # the model of the manifest that each recorded machine gets (tests/unit/appliance/agent/probe/machines)
    "laptop-4gb": "lfm2.5-1.2b-instruct",
    "pascal": "qwen3.5-9b",
    "rtx-3060": "qwen3.5-9b",
    "rtx-5090": "qwen3.6-35b-a3b",
    "rtx-5090-broken-driver": "qwen3.6-35b-a3b",  # on the processor: slower by 20, but there
    "rx-7900xtx": "qwen3.6-27b",
    "apu": "gpt-oss-20b",
    "arc-hybrid": "qwen3.6-35b-a3b",  # on the processor: the card has no Vulkan driver yet
    "two-gpus": "qwen3.6-35b-a3b",
    "vm": "qwen3.5-2b",
    "container": "qwen3.5-4b",
    "container-v1": "lfm2.5-1.2b-instruct",
    "raspberry-pi-5": "lfm2.5-1.2b-instruct",
    "arm-hybrid": "lfm2.5-1.2b-instruct",
    "numa-server": "gpt-oss-120b",
    "mac": "qwen3.5-9b",
}


def model(
    name: str = "m", *, size: int = GB, parameters: int = 10**9, context: int = 8192, active: int = 0, kv: int = 0,
    slot: int = 0, tier: Tier = "micro",
) -> Model:  # fmt: skip
    file = File(path="f.gguf", bytes=size, sha256="ab" * 32)
    return Model(
        id=ModelId(name), name=name, tier=tier, license="MIT", parameters=parameters, context=context,
        active_parameters=active, kv_bytes_per_token=kv, slot_bytes=slot, file=(file,),
    )  # fmt: skip


MODELS = st.builds(
    model,
    size=st.integers(1, 100 * GB),
    parameters=st.integers(1, 10**12),
    context=st.sampled_from([0, 128, 1024, 4096, 32768, 262144]),
    kv=st.integers(0, 10**6),
    slot=st.sampled_from([0, 50_000_000]),
    tier=st.sampled_from(list(fit.FLOOR_TOKENS)),
)
ROOMS = st.builds(fit.Budget, device=st.just("x"), gpu=st.booleans(), bytes=st.integers(0, 200 * GB))


@given(MODELS, ROOMS)
def test_what_fits_stays_within_the_budget(entry: Model, room: fit.Budget) -> None:
    found = fit.fit(entry, room)
    if found.fits:
        assert fit.used_bytes(entry, found.slots, found.context_tokens) <= room.bytes
        assert 1 <= found.slots <= fit.MAX_SLOTS
        assert fit.floor_tokens(entry) <= found.context_tokens <= fit.most_tokens(entry)
    else:
        assert found.need_bytes > room.bytes
        assert (found.slots, found.context_tokens) == (0, 0)


@given(MODELS, ROOMS, st.integers(0, 100 * GB))
def test_more_memory_never_unfits_and_never_takes_slots_away(entry: Model, room: fit.Budget, more: int) -> None:
    larger = fit.Budget(device="x", gpu=room.gpu, bytes=room.bytes + more)
    before, after = fit.fit(entry, room), fit.fit(entry, larger)
    assert after.fits or not before.fits
    assert after.slots >= before.slots
    assert after.slots > before.slots or after.context_tokens >= before.context_tokens


@given(st.lists(MODELS, min_size=1, max_size=6), ROOMS, st.integers(0, 100 * GB))
def test_more_memory_never_gives_a_smaller_model_that_is_fast_enough(models: list[Model], room: fit.Budget, more: int) -> None:
    before = fit.best(room, models)
    after = fit.best(fit.Budget(device="x", gpu=room.gpu, bytes=room.bytes + more), models)
    if before.fit and before.fit.speed_tps >= fit.LEAST_TPS:
        assert after.fit
        assert after.fit.model.parameters >= before.fit.model.parameters


@given(st.lists(MODELS, max_size=6), st.integers(0, 64 * GB))
def test_the_choice_fits_and_is_one_of_the_candidates(candidates: list[Model], available: int) -> None:
    choice = fit.choose(made(available), candidates)
    assert choice.reason
    if choice.fit:
        assert choice.fit.fits
        assert choice.model in candidates


@pytest.mark.parametrize("name", NAMES)
def test_each_recorded_machine_gets_its_model(name: str, tmp_path: Path) -> None:
    candidates = [entry for entry in load().model if entry.kind == "chat"]
    choice = fit.choose(look_at(name, tmp_path).hardware, candidates)
    assert choice.model, choice.reason
    assert choice.model.id == EXPECTED[name], choice.reason
    assert "have" in choice.reason


def test_the_choice_explains_itself_and_what_comes_next() -> None:
    small, middle = model("s", size=GB // 2, parameters=10**8), model("l", size=GB)
    huge, slow = model("huge", size=100 * GB, parameters=10**11), model("slow", size=8 * GB, parameters=2 * 10**9)
    choice = fit.choose(made(64 * GB), [small, middle, huge])
    assert choice.model is middle
    assert "at 8 x 8192 tokens, have 62.9 GB" in choice.reason
    assert "the next larger, huge, needs 11" in choice.reason
    assert "the next larger, slow, would come to 1.5 tokens/s" in fit.choose(made(64 * GB), [middle, slow]).reason
    assert "no larger one is known" in fit.choose(made(64 * GB), [small, middle]).reason


def test_when_none_is_fast_enough_the_fastest_is_chosen() -> None:
    slow, slower = model("a", size=8 * GB), model("b", size=20 * GB)
    choice = fit.choose(made(64 * GB), [slow, slower])
    assert choice.model is slow
    assert "nothing reaches" in choice.reason


def test_a_mixture_of_experts_is_as_fast_as_its_active_part() -> None:
    dense, mixture = model(size=18 * GB, parameters=30 * 10**9), model(size=18 * GB, parameters=30 * 10**9, active=3 * 10**9)
    room = fit.budget(made(64 * GB))
    assert fit.speed_tps(mixture, room) > 5 * fit.speed_tps(dense, room)


def test_a_pascal_card_is_slower_than_its_bandwidth_says() -> None:
    old, new = (made(GB, card("A", 8 * GB, 8 * GB, gb_per_s=320, capability=(number, 1))) for number in (6, 8))
    speeds = [fit.speed_tps(model(size=4 * GB), fit.budget(each)) for each in (old, new)]
    assert [round(speed) for speed in speeds] == [29, 58]


def test_nothing_at_hand_and_nothing_that_fits_are_told_apart() -> None:
    assert fit.choose(made(GB), []).reason == "no model file is at hand"
    choice = fit.choose(made(GB), [model("big", size=9 * GB), model("bigger", size=10 * GB)])
    assert choice.model is None
    assert "big, needs" in choice.reason


def test_cards_are_used_together_and_each_keeps_a_reserve() -> None:
    cards = (card("A", 8 * GB, 2 * GB, gb_per_s=100), card("B", 24 * GB, 20 * GB, gb_per_s=1000))
    room = fit.budget(made(4 * GB, *cards))
    rooms = (2 * GB - fit.GPU_RESERVE_BYTES, 20 * GB - round(24 * GB * fit.GPU_RESERVE_SHARE))
    assert (room.device, room.gpu, room.bytes) == ("A + B", True, sum(rooms))
    assert room.bytes_per_s == pytest.approx(sum(rooms) / (rooms[0] / 100e9 + rooms[1] / 1000e9))
    assert not fit.budget(made(4 * GB, *cards), use_gpu=False).gpu
    assert not fit.budget(made(4 * GB, card("full", 8 * GB, GB // 10))).gpu


def test_shared_memory_leaves_the_system_enough() -> None:
    device = card("iGPU", 16 * GB, 15 * GB, shared=True)
    room = fit.budget(made(8 * GB, device))
    assert (room.gpu, room.bytes, room.bytes_per_s) == (True, 8 * GB - fit.SHARED_RESERVE_BYTES, 20e9)
    assert not fit.budget(made(GB, device)).gpu


def test_a_small_machine_keeps_half_of_its_memory_for_itself() -> None:
    assert fit.budget(made(600_000_000)).bytes == 300_000_000


def test_the_bundled_model_fits_half_a_gigabyte() -> None:
    mote = load().find("mote")
    assert mote
    choice = fit.choose(made(GB // 2), [mote])
    assert choice.fit
    assert (choice.fit.slots, choice.fit.context_tokens) == (fit.MAX_SLOTS, 1024)


def test_the_measured_model_needs_what_was_measured() -> None:
    known = load().find("qwen3.5-9b")
    assert known
    measured = known.total_bytes + 580_000_000 + 32768 * 32768
    assert fit.allocated_bytes(known, 1, 32768) == pytest.approx(measured, rel=0.02)


def test_little_memory_gives_one_slot_of_what_there_is() -> None:
    entry = model(size=GB, context=32768, kv=100_000 - fit.MASK_BYTES_PER_TOKEN)
    room = fit.Budget(device="x", gpu=False, bytes=fit.used_bytes(entry, 1, 5000))
    found = fit.fit(entry, room)
    assert (found.slots, found.context_tokens) == (1, 4864)


def test_an_embedder_fits_with_any_context() -> None:
    entry = Model(
        id=ModelId("e"), name="e", license="MIT", parameters=22_000_000, context=512, kind="embedding",
        file=(File(path="f", bytes=46_000_000, sha256="ab" * 32),),
    )  # fmt: skip
    assert fit.fit(entry, fit.Budget(device="x", gpu=False, bytes=200_000_000)).fits


@pytest.mark.parametrize(("size", "text"), [(2_500_000_000, "2.5 GB"), (69_400_000, "69 MB")])
def test_sizes_are_told_in_decimal_units(size: int, text: str) -> None:
    assert fit.gigabytes(size) == text
