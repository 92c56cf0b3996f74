"""Which models fit this machine, with how much room, and which of them is best: pure arithmetic with reasons in words.

Memory needs come from the manifest, from the file's header, or are estimated from its size; speed is predicted from the
memory's bandwidth. Both are a prior: what is measured after loading is the truth, and both are shown.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.agent.machine import Device, Hardware
from iamine.manifest import Model, Tier

GIB = 1 << 30
CPU_RESERVE_BYTES = 1 * GIB  # for the rest of the system (but never more than half of what is free)
SHARED_RESERVE_BYTES = 3 * GIB // 2  # graphics with the system's memory: the driver takes some too
GPU_RESERVE_BYTES = 6 * GIB // 10  # display and driver; or 6 %, whichever is more
GPU_RESERVE_SHARE = 0.06
PROCESS_BYTES = 64 << 20  # the engine's process beside what llama.cpp allocates, measured with mote
BASE_SHARE = 0.10  # 0.58 GB beside 5.10 GB of weights: Qwen3.5-9B Q4_K_M, measured
KV_PER_ROOT = 2.4  # KV bytes/token ~ 2.4 x sqrt(parameters): above 12 of 14 published architectures
MASK_BYTES_PER_TOKEN = 1024  # the attention mask with flash attention: 512 tokens of a batch x 2 bytes, per cell of a slot
FLOOR_TOKENS: dict[Tier, int] = {"micro": 4096, "small": 8192, "medium": 16384, "large": 32768, "xlarge": 32768}
COMFORT_TOKENS = 8192  # one slot of this size is better than two of half
LARGEST_TOKENS = 32768
STEP_TOKENS = 256  # llama.cpp rounds contexts up to this
BATCH_TOKENS = 512  # of the engine's steps
EMBEDDING_SLOTS = 4  # jobs whose inputs share steps; one alone fills them when it is large
MAX_SLOTS = 8  # batching gains little beyond 8 sequences on a CPU (2.5 x one sequence; measured)
LEAST_TPS = 8.0
CPU_BYTES_PER_S = 20e9  # where nothing was measured: two channels of DDR4
GPU_BYTES_PER_S = 300e9  # where nothing was told: a mid-range card
CPU_EFFICIENCY, CPU_STEP_S = 0.6, 0.0005
GPU_EFFICIENCY, GPU_STEP_S = 0.78, 0.0013
PASCAL_EFFICIENCY, PASCAL_STEP_S = 0.41, 0.0039  # up to compute capability 6: no fast integer products for a batch of one
VOLTA = (7, 0)
MOE_FACTOR = 1.3  # routing and scattered reads cost 1.1-1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Memory that a model may use, where, and how fast it is read: `bytes_per_s` times `efficiency`, plus `step_s` a token."""

    device: str
    gpu: bool
    bytes: int
    bytes_per_s: float = CPU_BYTES_PER_S
    efficiency: float = CPU_EFFICIENCY
    step_s: float = CPU_STEP_S


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
        """The chosen model."""
        return self.fit.model if self.fit else None


def gigabytes(size_bytes: float) -> str:
    """A size for people: decimal units, two digits that matter."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


# ---- what there is -----------------------------------------------------------------------------------------------------


def budget(hardware: Hardware, *, use_gpu: bool | None = None) -> Budget:
    """The memory to plan with: that of the usable graphics devices together unless `use_gpu` is False, else free RAM."""
    devices = () if use_gpu is False else hardware.usable_devices
    room = _shared(hardware, devices[0]) if devices and devices[0].shared else _cards(devices)
    return room if room is not None and room.bytes > 0 else _processor(hardware)


def _processor(hardware: Hardware) -> Budget:
    available = hardware.memory.available_bytes
    return Budget(
        device="the CPU",
        gpu=False,
        bytes=available - min(CPU_RESERVE_BYTES, available // 2),
        bytes_per_s=hardware.cpu.copy_bytes_per_s or CPU_BYTES_PER_S,
    )


def _shared(hardware: Hardware, device: Device) -> Budget:
    """Graphics without memory of their own: what the driver gives, as long as the system keeps enough."""
    free = min(device.memory_free_bytes, hardware.memory.available_bytes - SHARED_RESERVE_BYTES)
    speed = device.bytes_per_s or hardware.cpu.copy_bytes_per_s or CPU_BYTES_PER_S
    return Budget(device=device.name, gpu=True, bytes=max(0, free), bytes_per_s=speed, step_s=GPU_STEP_S)


def _cards(devices: Sequence[Device]) -> Budget | None:
    """Cards together: llama.cpp lays a model's layers on all of them, each read at its own speed, one after the other."""
    rooms = [max(0, _left(device)) for device in devices]
    if not sum(rooms):
        return None
    # Seconds to read everything once, weighted by what each card carries
    seconds = sum(room / (device.bytes_per_s or GPU_BYTES_PER_S) for device, room in zip(devices, rooms, strict=True))
    old = any(device.capability is not None and device.capability < VOLTA for device in devices)
    return Budget(
        device=" + ".join(device.name for device in devices),
        gpu=True,
        bytes=sum(rooms),
        bytes_per_s=sum(rooms) / seconds,
        efficiency=PASCAL_EFFICIENCY if old else GPU_EFFICIENCY,
        step_s=PASCAL_STEP_S if old else GPU_STEP_S,
    )


def _left(device: Device) -> int:
    return device.memory_free_bytes - max(GPU_RESERVE_BYTES, round(device.memory_bytes * GPU_RESERVE_SHARE))


# ---- what a model needs ------------------------------------------------------------------------------------------------


def kv_bytes_per_token(model: Model) -> int:
    """Known, or estimated from the number of parameters (on the high side)."""
    return model.kv_bytes_per_token or math.ceil(KV_PER_ROOT * math.sqrt(model.parameters))


def base_bytes(model: Model) -> int:
    """Buffers beside weights and KV: known, or estimated from the files' size."""
    return model.base_bytes or round(BASE_SHARE * model.total_bytes)


def allocated_bytes(model: Model, slots: int, context_tokens: int) -> int:
    """What llama.cpp allocates for so many slots of so many tokens each: weights, KV and recurrent state, compute buffers.

    Each slot has a memory of its own, so the mask is one slot's; without flash attention (exact mode) the scores of a batch
    against one slot's context take its place.
    """
    if model.kind == "embedding":  # the inputs of a step share the cells of one batch, and an encoder keeps none
        return model.total_bytes + base_bytes(model) + max(BATCH_TOKENS, context_tokens) * model.kv_bytes_per_token
    fixed = model.total_bytes + base_bytes(model) + slots * model.slot_bytes
    once = model.exact_bytes_per_token or MASK_BYTES_PER_TOKEN
    return fixed + context_tokens * (slots * kv_bytes_per_token(model) + once)


def used_bytes(model: Model, slots: int, context_tokens: int) -> int:
    """The same with the engine's process around it."""
    return PROCESS_BYTES + allocated_bytes(model, slots, context_tokens)


def speed_tps(model: Model, room: Budget) -> float:
    """Tokens per second of one sequence: time to read the active weights once, plus a fixed cost a step."""
    active = float(model.total_bytes)
    if model.active_parameters:
        active *= MOE_FACTOR * model.active_parameters / model.parameters
    return 1.0 / (active / (room.efficiency * room.bytes_per_s) + room.step_s)


def floor_tokens(model: Model) -> int:
    """The least context per slot that is worth serving the model with."""
    floor = FLOOR_TOKENS[model.tier] if model.tier else STEP_TOKENS
    return min(most_tokens(model), floor)


def most_tokens(model: Model) -> int:
    """The most context per slot that it is given."""
    return min(model.context or COMFORT_TOKENS, LARGEST_TOKENS)


# ---- what fits ---------------------------------------------------------------------------------------------------------


def fit(model: Model, room: Budget) -> Fit:
    """Whether and how the model fits: as many slots as memory carries, each with a context worth having."""
    floor = most_tokens(model) if model.kind == "embedding" else floor_tokens(model)
    need = used_bytes(model, 1, floor)
    fits = need <= room.bytes
    slots, context = _share(model, room.bytes, floor) if fits else (0, 0)
    speed = speed_tps(model, room)
    reason = (
        f"needs {gigabytes(need)} with {floor} tokens of context; {room.device} has {gigabytes(room.bytes)} to give, "
        f"about {speed:.0f} tokens/s"
    )
    return Fit(
        model=model, fits=fits, gpu=room.gpu, need_bytes=need, budget_bytes=room.bytes, slots=slots, context_tokens=context,
        speed_tps=speed, reason=reason + (f", {slots} x {context} tokens" if fits else ""),
    )  # fmt: skip


def _share(model: Model, room_bytes: int, floor: int) -> tuple[int, int]:
    """Slots and context per slot: comfort first, then slots, then longer contexts. One slot of `floor` fits."""
    if model.kind == "embedding":
        return EMBEDDING_SLOTS, floor
    comfort = min(most_tokens(model), max(floor, COMFORT_TOKENS))
    slots = next((n for n in range(MAX_SLOTS, 1, -1) if used_bytes(model, n, comfort) <= room_bytes), 1)
    per_token = used_bytes(model, slots, 1) - used_bytes(model, slots, 0)
    tokens = (room_bytes - used_bytes(model, slots, 0)) // per_token
    if tokens >= most_tokens(model):
        return slots, most_tokens(model)
    return slots, max(floor, tokens // STEP_TOKENS * STEP_TOKENS)


def choose(hardware: Hardware, candidates: Sequence[Model], *, use_gpu: bool | None = None) -> Choice:
    """The best of the candidates for this machine with everything that is free now."""
    return best(budget(hardware, use_gpu=use_gpu), candidates)


def best(room: Budget, candidates: Sequence[Model]) -> Choice:
    """The largest model that fits and is fast enough for a chat; when none is fast enough, the fastest that fits."""
    if not candidates:
        return Choice(fit=None, reason="no model file is at hand")
    looked = [fit(model, room) for model in candidates]
    fits = [each for each in looked if each.fits]
    if not fits:
        smallest = min(looked, key=lambda each: each.need_bytes)
        return Choice(fit=None, reason=f"nothing fits; the smallest, {smallest.model.id}, {smallest.reason}")
    quick = [each for each in fits if each.speed_tps >= LEAST_TPS]
    if quick:
        largest = max(quick, key=_size)
        return Choice(fit=largest, reason=explained(largest, looked))
    fastest = max(fits, key=lambda each: (each.speed_tps, each.model.id))
    return Choice(fit=fastest, reason=f"nothing reaches {LEAST_TPS:.0f} tokens/s, so the fastest; {explained(fastest, looked)}")


def explained(chosen: Fit, looked: Sequence[Fit]) -> str:
    """Why this one, and what stands in the way of the next larger: memory or speed."""
    model, context = chosen.model, chosen.context_tokens
    need = gigabytes(used_bytes(model, chosen.slots, context))
    have, slots = gigabytes(chosen.budget_bytes), f"{chosen.slots} x " if chosen.slots > 1 else ""
    said = f"needs {need} at {slots}{context} tokens, have {have}, about {chosen.speed_tps:.0f} tokens/s"
    larger = min((each for each in looked if _size(each) > _size(chosen)), key=_size, default=None)
    if larger is None:
        return f"{said}; no larger one is known"
    if not larger.fits:
        return f"{said}; the next larger, {larger.model.id}, needs {gigabytes(larger.need_bytes)}"
    return f"{said}; the next larger, {larger.model.id}, would come to {larger.speed_tps:.1f} tokens/s"


def _size(found: Fit) -> tuple[int, int, str]:
    return found.model.parameters, found.model.context, found.model.id
