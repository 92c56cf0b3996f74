"""What to load: settings, hardware and the files at hand become model specs, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.agent import fit, verdict
from appliance.agent.config import Settings
from appliance.agent.machine import Hardware
from appliance.agent.types import ModelFile, ModelSpec
from appliance.agent.verdict import Verdict
from iamine.manifest import Model

ALL_LAYERS = 999  # llama.cpp takes as many as there are
NOTHING_KNOWN: Mapping[str, Verdict] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to load, in order, with a line for each; without specs, `problem` says why and `hint` what to try."""

    specs: tuple[ModelSpec, ...] = ()
    reasons: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""


def plan(
    settings: Settings, hardware: Hardware, files: Sequence[ModelFile], known: Mapping[str, Verdict] = NOTHING_KNOWN
) -> Plan:
    """The listed models and, unless one of them can chat, the model asked for or the best one at hand; beside them an embedder.

    `known` is what was measured here, by file hash: it can speak against a file that nobody asked for.
    """
    room = fit.budget(hardware, use_gpu=_use_gpu(settings))
    alone = _without_embedder(settings, hardware, files, known, room)
    embedder = None if alone.problem or any(spec.kind == "embedding" for spec in alone.specs) else _embedder(files, known)
    if embedder is None:
        return alone
    for place, left in _places(settings, hardware, room, embedder.model):
        found = fit.fit(embedder.model, place)
        beside = _without_embedder(settings, hardware, files, known, left)
        if found.fits and [spec.model for spec in beside.specs] == [spec.model for spec in alone.specs]:
            said = f"{embedder.model.id}: beside it, for embeddings; {found.reason}"
            return Plan(
                specs=(*beside.specs, _spec(settings, hardware, embedder, found)), reasons=(*beside.reasons, said)
            )  # fmt: skip
    need, names = fit.gigabytes(fit.fit(embedder.model, room).need_bytes), " and ".join(spec.model for spec in alone.specs)
    said = f"{embedder.model.id}: left out; it needs {need}, and beside it {names} would not fit"
    return replace(alone, reasons=(*alone.reasons, said))


def _embedder(files: Sequence[ModelFile], known: Mapping[str, Verdict]) -> ModelFile | None:
    """The largest embedder at hand that the manifest knows and nothing speaks against."""
    found = [file for file in files if file.known and file.model.kind == "embedding"]
    able = verdict.usable(known, [file.model.file_sha256 for file in found])
    return max((each for each in found if each.model.file_sha256 in able), key=lambda each: each.model.parameters, default=None)


def _places(settings: Settings, hardware: Hardware, room: fit.Budget, embedder: Model) -> list[tuple[fit.Budget, fit.Budget]]:
    """Where an embedder may go and what is left for the others then: in the same memory, or in RAM beside a card's own."""
    need = fit.fit(embedder, room).need_bytes
    same = room, replace(room, bytes=max(0, room.bytes - need))
    if not room.gpu or hardware.usable_devices[0].shared:
        return [same]
    return [same, (fit.budget(hardware, use_gpu=False), room)]


def _without_embedder(
    settings: Settings, hardware: Hardware, files: Sequence[ModelFile], known: Mapping[str, Verdict], room: fit.Budget
) -> Plan:
    """The listed models, and one that chats."""
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
        chosen, reason = _choose(settings, room, rest, known)
        if isinstance(chosen, Plan):
            return chosen
        file = next(file for file in rest if file.model is chosen.model)
        specs.append(_spec(settings, hardware, file, chosen))
        reasons.append(f"{file.model.id}: {reason}")
    return Plan(specs=tuple(specs), reasons=tuple(reasons))


_FAILED = "update the driver or IAMINE, or measure again with `iamine bench --fresh`"
_SMALLER = "close other programs, or name a smaller model with --model; `iamine models` shows what fits"


def _listed(settings: Settings, files: Sequence[ModelFile]) -> list[ModelFile]:
    """The files of the config's list that are at hand; of those that chat only the one asked for, if one is."""
    paths = {model.path for model in settings.models}
    found = [file for file in files if str(file.path) in paths]
    if settings.model:
        return [file for file in found if file.model.kind == "embedding" or file.model.id == settings.model]
    return found


def _choose(
    settings: Settings, room: fit.Budget, files: Sequence[ModelFile], known: Mapping[str, Verdict]
) -> tuple[fit.Fit | Plan, str]:
    if not settings.model:
        able = verdict.usable(known, [file.model.file_sha256 for file in files])
        choice = fit.best(room, [file.model for file in files if file.model.file_sha256 in able])
        if choice.fit is None:
            if files and not able:
                failed = "; ".join(verdict.against(known[file.model.file_sha256]) for file in files)
                return Plan(problem=failed, hint=_FAILED), ""
            hint = _SMALLER if files else f"put a .gguf file into {settings.models_dir}, or install IAMINE again"
            return Plan(problem=choice.reason, hint=hint), ""
        return choice.fit, choice.reason + _instead(choice.fit, files, known)
    asked = next((file.model for file in files if file.model.id == settings.model), None)
    if asked is None:
        here = ", ".join(file.model.id for file in files) or "none"
        problem = f"the model {settings.model!r} is not at hand (at hand: {here})"
        return Plan(problem=problem, hint=f"put its .gguf file into {settings.models_dir}, or name another"), ""
    found = fit.fit(asked, room)
    if not found.fits:
        return Plan(problem=f"the model {asked.id} {found.reason}", hint=_SMALLER), ""
    return found, f"asked for; {found.reason}"


def _instead(chosen: fit.Fit, files: Sequence[ModelFile], known: Mapping[str, Verdict]) -> str:
    """What was passed over for it, and why."""
    others = [known[file.model.file_sha256] for file in files if file.model.file_sha256 in known]
    said = [verdict.against(each) for each in others if each.file_sha256 != chosen.model.file_sha256]
    return "".join(f"; {each}: using {chosen.model.id} instead" for each in said if each)


def how(settings: Settings, hardware: Hardware) -> str:
    """The settings that change a model's speed, in words: what was measured with others does not count."""
    place = "graphics" if fit.budget(hardware, use_gpu=_use_gpu(settings)).gpu else "processor"
    exact = "" if settings.exact is None else f", exact: {settings.exact}"
    return f"{place}, {_threads(settings, hardware)} threads{exact}"


def _use_gpu(settings: Settings) -> bool | None:
    """What the settings say of graphics: exact answers are promised on the processor only."""
    return False if settings.exact else settings.gpu


def _threads(settings: Settings, hardware: Hardware) -> int:
    return settings.threads or max(1, int(min(hardware.cpu.cores_fast, hardware.cpu.cores_usable)))


def _spec(settings: Settings, hardware: Hardware, file: ModelFile, found: fit.Fit) -> ModelSpec:
    model = file.model
    exact = model.bundled if settings.exact is None else settings.exact
    if exact and found.gpu:  # serial = batched = continued holds on the processor only
        alone = fit.fit(model, fit.budget(hardware, use_gpu=False))
        found, exact = (alone, True) if alone.fits else (found, False)
    slots = found.slots if model.kind == "embedding" else settings.slots or found.slots
    return ModelSpec(
        model=model.id,
        path=file.path,
        file_sha256=model.file_sha256,
        kind=model.kind,
        tool_format=model.tool_format,
        reasoning_format=model.reasoning_format,
        exact=exact,
        slots=slots,
        context_tokens=_context(settings, model.context, found, slots),
        threads=_threads(settings, hardware),
        gpu_layers=ALL_LAYERS if found.gpu else 0,
        devices=tuple(device.engine_name for device in hardware.usable_devices if device.engine_name) if found.gpu else (),
        max_tps=settings.max_tps,
        expected_tps=found.speed_tps,
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
