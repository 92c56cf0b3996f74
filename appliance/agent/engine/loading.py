"""Load -> a model and its context, measured; every way a file can be bad becomes a message with a hint."""

from dataclasses import dataclass
from pathlib import Path

from appliance.agent.engine.llama import Context, ContextOptions, LlamaError, LogRing, Model, NoDevice, build_info
from appliance.agent.engine.measuring import CannotRun, Speeds, measure, run_once, self_test
from appliance.agent.engine.prepare import Preparer
from appliance.agent.engine.protocol import Load, Loaded, LoadFailed
from appliance.agent.engine.threads import usable_threads

MAGIC = b"GGUF"
DEFAULT_SLOTS = 8
BATCH_TOKENS = 512
EMBEDDING_INPUTS = 64  # in one step, of all jobs together, as far as they fit the batch
MAX_SLOTS = 256  # llama.cpp's LLAMA_MAX_SEQ in 0c1e57098
MAX_CELLS = 64 * 1024 * 1024  # tokens of all contexts; llama.cpp takes 40 bytes a cell before it asks for the real memory


class CannotLoad(Exception):
    """The file cannot be used; carries what is told to the agent."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.frame = LoadFailed(message=message, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A loaded model."""

    model: Model
    context: Context
    preparer: Preparer
    loaded: Loaded


def load(wanted: Load, logs: LogRing) -> Ready:
    """Raises CannotLoad."""
    path = Path(wanted.path)
    check_file(path)
    try:
        model = Model(path, exact=wanted.exact, gpu_layers=wanted.gpu_layers, devices=wanted.devices)
    except NoDevice as error:
        hint = "Its driver does not list it any more: `iamine probe` shows why. Start the worker again, or write gpu = false."
        raise CannotLoad(str(error), hint) from error
    except LlamaError as error:
        hint = "The file may be cut off, or made for a newer llama.cpp: check its SHA-256 and download it again."
        raise CannotLoad(f"{path.name}: {error}: {logs.tail()}", hint) from error
    options = context_options(wanted, model)
    too_large = f"Ask for less than {options.slots} slots of {options.context_tokens} tokens, or use a smaller model."
    if options.slots * options.context_tokens > MAX_CELLS:
        raise CannotLoad(f"{path.name}: a context of so many tokens is beyond any machine", too_large)
    try:
        context = Context(model, options)
    except LlamaError as error:
        raise CannotLoad(f"{path.name}: {error}: {logs.tail()}", too_large) from error
    template = model.meta("tokenizer.chat_template") if wanted.kind == "chat" else None
    preparer = Preparer(
        model.vocabulary,
        template,
        kind=wanted.kind,
        context_tokens=options.context_tokens,
        dimensions=model.embedding_dimensions,
    )
    return Ready(model=model, context=context, preparer=preparer, loaded=_loaded(wanted, model, context, preparer))


def check_file(path: Path) -> None:
    """Raises CannotLoad unless it looks like a GGUF file."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        hint = "Check the path and that this user may read the file; `iamine models` downloads it again."
        raise CannotLoad(f"{path}: {error.strerror}", hint) from error
    if magic != MAGIC:
        hint = "It is not a GGUF model file: check its SHA-256 and download it again."
        raise CannotLoad(f"{path.name}: begins with {magic!r} instead of {MAGIC!r}", hint)


def context_options(wanted: Load, model: Model) -> ContextOptions:
    """The numbers asked for, or defaults where they are 0."""
    slots = min(wanted.slots or DEFAULT_SLOTS, MAX_SLOTS)
    context_tokens = wanted.context_tokens or model.context_tokens
    embedding = wanted.kind == "embedding"
    return ContextOptions(
        slots=slots,
        context_tokens=context_tokens,
        batch_tokens=max(BATCH_TOKENS, slots, context_tokens if embedding else 0),
        threads=wanted.threads or usable_threads(),
        exact=wanted.exact,
        embedding=embedding,
        unified=False,
        inputs=EMBEDDING_INPUTS if embedding else 0,
    )


def _loaded(wanted: Load, model: Model, context: Context, preparer: Preparer) -> Loaded:
    embedding = wanted.kind == "embedding"
    speeds = _speeds(wanted, context)
    return Loaded(
        vocabulary_tokens=model.vocabulary.size,
        context_tokens=context.options.context_tokens,
        slots=context.options.slots,
        template_sha256=preparer.template_sha256,
        embedding_dimensions=model.embedding_dimensions if embedding else 0,
        prefill_tps=round(speeds.prefill_tps, 1),
        prefill_tokens=speeds.prefill_tokens,
        decode_tps=round(speeds.decode_tps, 1),
        decode_all_tps=round(speeds.decode_all_tps, 1),
        build=build_info()[:500],
        exact=wanted.exact,
    )


def _speeds(wanted: Load, context: Context) -> Speeds:
    """As known from an earlier measure, or measured now as wished. Raises CannotLoad when the model does not run."""
    try:
        if wanted.prefill_tps > 0:
            run_once(context)
            return Speeds(prefill_tps=wanted.prefill_tps, decode_tps=wanted.decode_tps)
        if wanted.measure_s > 0 and wanted.kind != "embedding":
            return measure(context, wanted.measure_s)
        return self_test(context)
    except CannotRun as error:
        hint = "It may need more memory than there is: close other programs. Or the file is damaged: check its SHA-256."
        raise CannotLoad("the model was loaded but cannot run", hint) from error
