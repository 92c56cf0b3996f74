"""What to load: settings, hardware and the files at hand become model specs, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from appliance.agent import fit
from appliance.agent.config import Settings
from appliance.agent.machine import Hardware
from appliance.agent.types import ModelFile, ModelSpec
from iamine.manifest import Model

ALL_LAYERS = 999  # llama.cpp takes as many as there are
EMBEDDING_SLOTS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to load, in order, with a line for each; without specs, `problem` says why and `hint` what to try."""

    specs: tuple[ModelSpec, ...] = ()
    reasons: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""


def plan(settings: Settings, hardware: Hardware, files: Sequence[ModelFile]) -> Plan:
    """The listed models and, unless one of them can chat, the model asked for or the best one at hand."""
    room = fit.budget(hardware, use_gpu=settings.gpu)
    listed = _listed(settings, files)
    chats = any(file.model.kind == "chat" for file in listed)
    specs, reasons = [], []
    for number, file in enumerate(listed):
        found = _share(file.model, room, len(listed) - number + (not chats))
        if not found.fits:
            return Plan(problem=f"{file.model.id} (listed in the config) {found.reason}", hint=_SMALLER)
        specs.append(_spec(settings, hardware, file, found))
        reasons.append(f"{file.model.id}: listed in the config; {found.reason}")
        room = _without(room, file.model, specs[-1])
    if not chats:
        loaded = {spec.file_sha256 for spec in specs}
        rest = [file for file in files if file.model.kind != "embedding" and file.model.file_sha256 not in loaded]
        chosen, reason = _choose(settings, room, rest)
        if isinstance(chosen, Plan):
            return chosen
        file = next(file for file in rest if file.model is chosen.model)
        specs.append(_spec(settings, hardware, file, chosen))
        reasons.append(f"{file.model.id}: {reason}")
    return Plan(specs=tuple(specs), reasons=tuple(reasons))


_SMALLER = "close other programs, or name a smaller model with --model; `iamine models` shows what fits"


def _listed(settings: Settings, files: Sequence[ModelFile]) -> list[ModelFile]:
    """The files of the config's list that are at hand; of those that chat only the one asked for, if one is."""
    paths = {model.path for model in settings.models}
    found = [file for file in files if str(file.path) in paths]
    if settings.model:
        return [file for file in found if file.model.kind == "embedding" or file.model.id == settings.model]
    return found


def _choose(settings: Settings, room: fit.Budget, files: Sequence[ModelFile]) -> tuple[fit.Fit | Plan, str]:
    if not settings.model:
        choice = fit.best(room, [file.model for file in files])
        if choice.fit is None:
            hint = _SMALLER if files else f"put a .gguf file into {settings.models_dir}, or install IAMINE again"
            return Plan(problem=choice.reason, hint=hint), ""
        return choice.fit, choice.reason
    asked = next((file.model for file in files if file.model.id == settings.model), None)
    if asked is None:
        here = ", ".join(file.model.id for file in files) or "none"
        problem = f"the model {settings.model!r} is not at hand (at hand: {here})"
        return Plan(problem=problem, hint=f"put its .gguf file into {settings.models_dir}, or name another"), ""
    found = fit.fit(asked, room)
    if not found.fits:
        return Plan(problem=f"the model {asked.id} {found.reason}", hint=_SMALLER), ""
    return found, f"asked for; {found.reason}"


def _spec(settings: Settings, hardware: Hardware, file: ModelFile, found: fit.Fit) -> ModelSpec:
    model = file.model
    slots = EMBEDDING_SLOTS if model.kind == "embedding" else settings.slots or found.slots
    return ModelSpec(
        model=model.id,
        path=file.path,
        file_sha256=model.file_sha256,
        kind=model.kind,
        tool_format=model.tool_format,
        reasoning_format=model.reasoning_format,
        exact=model.bundled if settings.exact is None else settings.exact,
        slots=slots,
        context_tokens=_context(settings, model.context, found, slots),
        threads=settings.threads or max(1, int(min(hardware.cpu.cores_fast, hardware.cpu.cores_usable))),
        gpu_layers=ALL_LAYERS if found.gpu else 0,
        max_tps=settings.max_tps,
    )


def _context(settings: Settings, own: int, found: fit.Fit, slots: int) -> int:
    """Context per slot: as set, else what the fit found, shared anew when the number of slots was set."""
    if settings.context_tokens:
        return min(settings.context_tokens, own or settings.context_tokens)
    if slots <= found.slots:
        return found.context_tokens
    return max(256, found.slots * found.context_tokens // slots // 256 * 256)


def _share(model: Model, room: fit.Budget, left: int) -> fit.Fit:
    """The model in its share of the room when `left` models are still to come, or in all of it when it needs that."""
    found = fit.fit(model, replace(room, bytes=room.bytes // left))
    return found if found.fits else fit.fit(model, room)


def _without(room: fit.Budget, model: Model, spec: ModelSpec) -> fit.Budget:
    """The room less what the model will take."""
    return replace(room, bytes=max(0, room.bytes - fit.used_bytes(model, spec.slots, spec.context_tokens)))
