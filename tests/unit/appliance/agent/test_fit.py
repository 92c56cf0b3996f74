"""What fits a machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent import fit
from iamine.ids import ModelId
from iamine.manifest import File, Model, load
from iamine.wire.messages import Gpu, Hardware

GB = 10**9


def model(
    name: str = "m", *, size: int = GB, parameters: int = 10**9, context: int = 8192, active: int = 0, kv: int = 0
) -> Model:
    file = File(path="f.gguf", bytes=size, sha256="ab" * 32)
    return Model(
        id=ModelId(name), name=name, tier="small", license="MIT", parameters=parameters, context=context,
        active_parameters=active, kv_bytes_per_token=kv, file=(file,),
    )  # fmt: skip


def machine(available: int, *gpus: Gpu) -> Hardware:
    return Hardware(
        cpu="c", cores_physical=4, cores_usable=4.0, memory_bytes=available, memory_available_bytes=available, gpus=gpus
    )


MODELS = st.builds(
    model,
    size=st.integers(1, 100 * GB),
    parameters=st.integers(1, 10**12),
    context=st.sampled_from([0, 128, 1024, 4096, 32768, 262144]),
    kv=st.integers(0, 10**6),
)
ROOMS = st.builds(fit.Budget, device=st.just("x"), gpu=st.booleans(), bytes=st.integers(0, 200 * GB))


@given(MODELS, ROOMS)
def test_what_fits_stays_within_the_budget(entry: Model, room: fit.Budget) -> None:
    found = fit.fit(entry, room)
    used = entry.total_bytes + fit.base_bytes(entry) + found.slots * found.context_tokens * fit.kv_bytes_per_token(entry)
    if found.fits:
        assert used <= room.bytes
        assert 1 <= found.slots <= fit.MAX_SLOTS
        assert min(fit.FLOOR_TOKENS, entry.context or fit.FLOOR_TOKENS) <= found.context_tokens
        assert found.context_tokens <= (entry.context or fit.COMFORT_TOKENS)
    else:
        assert found.need_bytes > room.bytes
        assert (found.slots, found.context_tokens) == (0, 0)


@given(MODELS, ROOMS, st.integers(0, 100 * GB))
def test_more_memory_never_unfits(entry: Model, room: fit.Budget, more: int) -> None:
    larger = fit.Budget(device="x", gpu=room.gpu, bytes=room.bytes + more)
    before, after = fit.fit(entry, room), fit.fit(entry, larger)
    assert after.fits or not before.fits
    assert after.slots * after.context_tokens >= before.slots * before.context_tokens - 256 * fit.MAX_SLOTS


@given(st.lists(MODELS, max_size=6), st.integers(0, 64 * GB))
def test_the_choice_fits_and_is_one_of_the_candidates(candidates: list[Model], available: int) -> None:
    choice = fit.choose(machine(available), candidates)
    assert choice.reason
    if choice.fit:
        assert choice.fit.fits
        assert choice.model in candidates


def test_the_largest_that_is_fast_enough_is_chosen() -> None:
    small, middle = model("s", size=GB // 2, parameters=10**8), model("l", size=GB)
    huge = model("huge", size=10 * GB, parameters=10**11)
    choice = fit.choose(machine(64 * GB), [small, middle, huge])
    assert choice.model is middle
    assert "fast enough" in choice.reason


def test_when_none_is_fast_enough_the_fastest_is_chosen() -> None:
    slow, slower = model("a", size=8 * GB), model("b", size=20 * GB)
    choice = fit.choose(machine(64 * GB), [slow, slower])
    assert choice.model is slow
    assert "nothing at hand reaches" in choice.reason


def test_a_mixture_of_experts_is_as_fast_as_its_active_part() -> None:
    dense, mixture = model(size=18 * GB, parameters=30 * 10**9), model(size=18 * GB, parameters=30 * 10**9, active=3 * 10**9)
    assert fit.speed_tps(mixture, gpu=False) > 5 * fit.speed_tps(dense, gpu=False)


def test_nothing_at_hand_and_nothing_that_fits_are_told_apart() -> None:
    assert fit.choose(machine(GB), []).reason == "no model file is at hand"
    choice = fit.choose(machine(GB), [model("big", size=9 * GB), model("bigger", size=10 * GB)])
    assert choice.model is None
    assert "big, needs" in choice.reason


def test_the_roomiest_gpu_is_used_when_it_may_be() -> None:
    cards = (Gpu(name="A", backend="cuda", memory_bytes=8 * GB, memory_free_bytes=2 * GB),
             Gpu(name="B", backend="cuda", memory_bytes=24 * GB, memory_free_bytes=20 * GB))  # fmt: skip
    room = fit.budget(machine(4 * GB, *cards), use_gpu=True)
    assert (room.device, room.gpu) == ("B", True)
    assert room.bytes == 20 * GB - round(24 * GB * fit.GPU_RESERVE_SHARE)
    assert not fit.budget(machine(4 * GB, *cards), use_gpu=False).gpu
    full = Gpu(name="full", backend="cuda", memory_bytes=8 * GB, memory_free_bytes=GB // 10)
    assert not fit.budget(machine(4 * GB, full), use_gpu=True).gpu


def test_a_small_machine_keeps_half_of_its_memory_for_itself() -> None:
    assert fit.budget(machine(600_000_000), use_gpu=False).bytes == 300_000_000


def test_the_bundled_model_fits_half_a_gigabyte() -> None:
    mote = load().find("mote")
    assert mote
    choice = fit.choose(machine(GB // 2), [mote])
    assert choice.fit
    assert (choice.fit.slots, choice.fit.context_tokens) == (fit.MAX_SLOTS, 1024)


def test_the_measured_model_needs_what_was_measured() -> None:
    known = load().find("qwen3.5-9b")
    assert known
    found = fit.fit(known, fit.Budget(device="a card", gpu=True, bytes=8 * GB))
    assert found.need_bytes == known.total_bytes + 580_000_000 + 4096 * 32768


def test_little_memory_gives_one_slot_of_what_there_is() -> None:
    entry = model(size=GB, context=32768, kv=100_000)
    room = fit.Budget(device="x", gpu=False, bytes=GB + fit.base_bytes(entry) + 5000 * 100_000)
    found = fit.fit(entry, room)
    assert (found.slots, found.context_tokens) == (1, 4864)


@pytest.mark.parametrize(("size", "text"), [(2_500_000_000, "2.5 GB"), (69_400_000, "69 MB")])
def test_sizes_are_told_in_decimal_units(size: int, text: str) -> None:
    assert fit.gigabytes(size) == text
