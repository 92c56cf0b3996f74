"""Which models fit this machine, with how much room, and which of them is best: pure arithmetic with reasons in words.

First form: memory needs come from the manifest (or are estimated from size), speed is predicted from an assumed memory
bandwidth. Both are a prior; a measurement on the machine replaces them later.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from iamine.manifest import Model
from iamine.wire.messages import Hardware

GIB = 1 << 30
CPU_RESERVE_BYTES = 1 * GIB  # for the rest of the system (but never more than half of what is free)
GPU_RESERVE_BYTES = 6 * GIB // 10  # display and driver; or 6 %, whichever is more
GPU_RESERVE_SHARE = 0.06
BASE_BYTES = 64 << 20  # compute buffers of a small model, measured with mote
BASE_SHARE = 0.10  # 0.58 GB beside 5.10 GB of weights: Qwen3.5-9B Q4_K_M, measured
KV_PER_ROOT = 2.4  # KV bytes/token ~ 2.4 x sqrt(parameters): above 12 of 14 published architectures
FLOOR_TOKENS = 4096  # less context than this is not worth a chat
COMFORT_TOKENS = 8192  # one slot of this size is better than two of half
LARGEST_TOKENS = 32768
MAX_SLOTS = 8  # batching gains little beyond 8 sequences on a CPU (2.5 x one sequence; measured)
LEAST_TPS = 8.0
CPU_BYTES_PER_S = 20e9  # assumed: two channels of DDR4
GPU_BYTES_PER_S = 300e9  # assumed: a mid-range card
CPU_EFFICIENCY, CPU_STEP_S = 0.6, 0.0005
GPU_EFFICIENCY, GPU_STEP_S = 0.78, 0.0013
MOE_FACTOR = 1.3  # routing and scattered reads cost 1.1-1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Memory that a model may use, and where."""

    device: str
    gpu: bool
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a model fits a budget; slots and context (per slot) are 0 when not. `speed_tps` is predicted for one sequence."""

    model: Model
    fits: bool
    gpu: bool
    need_bytes: int
    budget_bytes: int
    slots: int
    context_tokens: int
    speed_tps: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is best here, or None, and why."""

    fit: Fit | None
    reason: str

    @property
    def model(self) -> Model | None:
        """The chosen model's entry."""
        return self.fit.model if self.fit else None


def gigabytes(size_bytes: float) -> str:
    """A size for people: decimal units, two digits that matter."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def budget(hardware: Hardware, *, use_gpu: bool) -> Budget:
    """The memory to plan with: the roomiest GPU if one may be used, else free RAM less a reserve."""
    if use_gpu and hardware.gpus:
        gpu = max(hardware.gpus, key=lambda each: each.memory_free_bytes)
        reserve = max(GPU_RESERVE_BYTES, round(gpu.memory_bytes * GPU_RESERVE_SHARE))
        if gpu.memory_free_bytes > reserve:
            return Budget(device=gpu.name, gpu=True, bytes=gpu.memory_free_bytes - reserve)
    available = hardware.memory_available_bytes
    return Budget(device="the CPU", gpu=False, bytes=available - min(CPU_RESERVE_BYTES, available // 2))


def kv_bytes_per_token(model: Model) -> int:
    """Known, or estimated from the number of parameters (on the high side)."""
    return model.kv_bytes_per_token or math.ceil(KV_PER_ROOT * math.sqrt(model.parameters))


def base_bytes(model: Model) -> int:
    """Buffers beside weights and KV: known, or estimated from the files' size."""
    return model.base_bytes or BASE_BYTES + round(BASE_SHARE * model.total_bytes)


def speed_tps(model: Model, *, gpu: bool) -> float:
    """Tokens per second of one sequence: time to read the active weights once, plus a fixed cost a step."""
    active = model.total_bytes
    if model.active_parameters:
        active = round(active * MOE_FACTOR * model.active_parameters / model.parameters)
    bandwidth, efficiency, step_s = (
        (GPU_BYTES_PER_S, GPU_EFFICIENCY, GPU_STEP_S) if gpu else (CPU_BYTES_PER_S, CPU_EFFICIENCY, CPU_STEP_S)
    )
    return 1.0 / (active / (efficiency * bandwidth) + step_s)


def fit(model: Model, room: Budget) -> Fit:
    """Whether and how the model fits: as many slots as memory carries, each with a context worth having."""
    most = min(model.context or COMFORT_TOKENS, LARGEST_TOKENS)
    floor = min(most, FLOOR_TOKENS)
    fixed = model.total_bytes + base_bytes(model)
    need = fixed + floor * kv_bytes_per_token(model)
    tokens = max(0, room.bytes - fixed) // kv_bytes_per_token(model)
    fits = need <= room.bytes
    slots, context = _share(tokens, most, floor) if fits else (0, 0)
    speed = speed_tps(model, gpu=room.gpu)
    if fits:
        reason = (
            f"fits {room.device}: {gigabytes(fixed)} of {gigabytes(room.bytes)} and {slots} x {context} tokens of context, "
            f"about {speed:.0f} tokens/s expected"
        )
    else:
        reason = f"needs {gigabytes(need)} with {floor} tokens of context; {room.device} has {gigabytes(room.bytes)} to give"
    return Fit(
        model=model, fits=fits, gpu=room.gpu, need_bytes=need, budget_bytes=room.bytes, slots=slots, context_tokens=context,
        speed_tps=speed, reason=reason,
    )  # fmt: skip


def used_bytes(model: Model, slots: int, context_tokens: int) -> int:
    """What the model takes with so many slots of so many tokens."""
    return model.total_bytes + base_bytes(model) + slots * context_tokens * kv_bytes_per_token(model)


def choose(hardware: Hardware, candidates: Sequence[Model], *, use_gpu: bool = False) -> Choice:
    """The best of the candidates for this machine with everything that is free now."""
    return best(budget(hardware, use_gpu=use_gpu), candidates)


def best(room: Budget, candidates: Sequence[Model]) -> Choice:
    """The largest model that fits and is fast enough for a chat; when none is fast enough, the fastest that fits."""
    if not candidates:
        return Choice(fit=None, reason="no model file is at hand")
    fits = [each for each in (fit(model, room) for model in candidates) if each.fits]
    if not fits:
        smallest = min((fit(model, room) for model in candidates), key=lambda each: each.need_bytes)
        return Choice(fit=None, reason=f"nothing fits; the smallest, {smallest.model.id}, {smallest.reason}")
    quick = [each for each in fits if each.speed_tps >= LEAST_TPS]
    if quick:
        largest = max(quick, key=lambda each: (each.model.parameters, each.model.context, each.model.id))
        return Choice(fit=largest, reason=f"the largest at hand that is fast enough; {largest.reason}")
    fastest = max(fits, key=lambda each: (each.speed_tps, each.model.id))
    return Choice(fit=fastest, reason=f"nothing at hand reaches {LEAST_TPS:.0f} tokens/s, so the fastest; {fastest.reason}")


def _share(tokens: int, most: int, floor: int) -> tuple[int, int]:
    """Slots and context per slot out of `tokens` (>= floor): comfort first, then slots, then longer contexts."""
    comfort = min(most, COMFORT_TOKENS)
    if tokens < comfort:
        return 1, max(floor, tokens // 256 * 256)
    slots = min(MAX_SLOTS, tokens // comfort)
    return slots, min(most, max(comfort, tokens // slots // 256 * 256))
