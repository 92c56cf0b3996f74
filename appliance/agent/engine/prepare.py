"""A job off the wire -> ids that may run, or the reason why not. Runs in the main thread: rendering needs its timer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from appliance.agent.engine.grammar import GrammarRefused, check_text
from appliance.agent.engine.llama import LlamaError, Vocabulary
from appliance.agent.engine.markers import LEAST_CHARS, SEAM, Markers, TooDeep, guard_all
from appliance.agent.engine.sequence import Prepared
from appliance.agent.engine.template import CHATML, ChatTemplate, TemplateFailed
from iamine.wire.messages import MAX_FRAME_BYTES, ChatWork, CompletionWork, EmbeddingWork, Failed, Job, Sampling

MAX_STOPS = 16
MAX_STOP_CHARS = 500
MAX_TOP_LOGPROBS = 20
MAX_INPUTS = 2048  # OpenAI's limit
MAX_BIASES = 1024
MAX_MARKS = 64  # templates use about ten special tokens
REASONING = "<think>"  # ends the prompt where a template opens the reasoning itself: Qwen3.5, DeepSeek-R1
REASONING_END = "</think>"
NUMBER_BYTES = 14  # of one component of a vector in JSON

Code = Literal["context_overflow", "bad_request", "bad_grammar", "bad_template", "prompt_mismatch"]


class Refused(Exception):
    """The job cannot run here; code, message and whether another worker may succeed."""

    def __init__(self, code: Code, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code: Code = code
        self.retryable = retryable

    def frame(self, job: Job) -> Failed:
        return Failed(job=job.job, epoch=job.epoch, code=self.code, message=str(self), retryable=self.retryable)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedInputs:
    """An embedding job's inputs as ids."""

    job: Job
    inputs: tuple[tuple[int, ...], ...]


def ids_sha256(ids: Sequence[int]) -> str:
    """SHA-256 (hex) over the ids as little-endian int32."""
    return hashlib.sha256(b"".join(i.to_bytes(4, "little", signed=True) for i in ids)).hexdigest()


class Preparer:
    """Knows the model's vocabulary, template and limits."""

    def __init__(
        self, vocabulary: Vocabulary, template: str | None, *, kind: str, context_tokens: int, dimensions: int = 0
    ) -> None:
        self._max_inputs = min(MAX_INPUTS, MAX_FRAME_BYTES // (NUMBER_BYTES * max(1, dimensions)))
        self._vocabulary = vocabulary
        self._kind = kind
        self._context_tokens = context_tokens
        specials = vocabulary.specials()
        texts = {s.text for s in specials}
        source = template if template is not None else CHATML if {"<|im_start|>", "<|im_end|>"} <= texts else None
        self._template_error = "the model file has no chat template"
        self._template: ChatTemplate | None = None
        self.template_sha256 = ""
        if source is not None:
            self._compile(source)
        control = [s.text for s in specials if s.control]
        markup = [s.text for s in specials if not s.control and source is not None and s.text in source]
        if source is not None and REASONING in source:
            markup.append(REASONING)  # guarded even where it is several ordinary tokens
        self._control = Markers(control)
        self._markup = Markers(control + markup)
        written = [s for s in specials if source is not None and s.text in source and len(s.text) >= LEAST_CHARS]
        self._marks = {s.id: s.text for s in written[:MAX_MARKS]}

    def _compile(self, source: str) -> None:
        self.template_sha256 = hashlib.sha256(source.encode()).hexdigest()
        try:
            bos, eos = (self._vocabulary.text(t) for t in (self._vocabulary.bos, self._vocabulary.eos))
            self._template = ChatTemplate(source, bos=bos, eos=eos)
        except TemplateFailed as error:
            self._template_error = str(error)

    def prepare(self, job: Job) -> Prepared | PreparedInputs:
        """Raises Refused."""
        try:
            if isinstance(job.work, EmbeddingWork):
                return self._inputs(job, job.work)
            if self._kind == "embedding":
                raise Refused("bad_request", "this model makes embeddings; it does not write text")
            self._check_sampling(job.sampling)
            self._check_prefix(job.prefix)
            if isinstance(job.work, CompletionWork):
                return self._checked(job, self._completion_ids(job.work))
            rendered = self._rendered(job, job.work)
            # a user's own mark does not count: it has a seam in it
            reasons = rendered.rstrip().endswith(REASONING)
            if job.work.opening:
                rendered, reasons = self._opened(rendered, job.work.opening, closes=reasons), False
            prepared = self._checked(job, self._chat_ids(rendered), reasoning=reasons)
            return replace(prepared, marks=self._marks) if _reads_calls(job) else prepared
        except (LlamaError, TooDeep) as error:
            raise Refused("bad_request", str(error)) from error

    def _checked(self, job: Job, ids: Sequence[int], *, reasoning: bool = False) -> Prepared:
        prompt = tuple(ids)
        digest = ids_sha256(prompt)
        if job.prompt_sha256 and job.prompt_sha256 != digest:
            raise Refused("prompt_mismatch", "the prompt has other token ids here than where the answer began", retryable=True)
        if not prompt:
            raise Refused("bad_request", "the prompt is empty")
        if len(prompt) >= self._context_tokens:
            raise Refused(
                "context_overflow",
                f"the prompt has {len(prompt)} tokens, the context of this model here is {self._context_tokens} tokens",
            )
        try:
            if job.sampling.grammar is not None:
                check_text(job.sampling.grammar)
        except GrammarRefused as error:
            raise Refused("bad_grammar", str(error)) from error
        return Prepared(job=job, prompt=prompt, prompt_sha256=digest, reasoning=reasoning)

    # ---- prompts

    def _rendered(self, job: Job, work: ChatWork) -> str:
        """The prompt's text, with seams."""
        if job.template_sha256 and job.template_sha256 != self.template_sha256:
            raise Refused("prompt_mismatch", "the model file here has another chat template", retryable=True)
        if self._template is None:
            raise Refused("bad_template", self._template_error)
        messages = [self._message(m) for m in _objects(work.messages, "messages")]
        tools = guard_all(_objects(work.tools, "tools"), self._markup.guard)
        try:
            return self._template.render(messages, tools, job.now, work.effort)
        except TemplateFailed as error:
            raise Refused("bad_template", str(error)) from error

    def _opened(self, rendered: str, opening: str, *, closes: bool) -> str:
        """The prompt with the beginning of the answer behind it; reasoning that the template opened is over by then."""
        return rendered + (f"\n{REASONING_END}\n\n" if closes else "") + str(guard_all(opening, self._markup.guard))

    def _chat_ids(self, rendered: str) -> list[int]:
        return self._with_bos([i for part in rendered.split(SEAM) for i in self._vocabulary.tokenize(part, special=True)])

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        """As templates expect it: content is one text, arguments are an object unless the template takes their text.

        What an assistant said earlier may hold the template's own markup (`<think>`), but never a control token.
        """
        assistant = message.get("role") == "assistant"
        out = guard_all(message, self._markup.guard)
        for key in ("content", "reasoning_content"):
            if key in message:
                text = _one_text(message[key], none=None if assistant else "")
                out[key] = guard_all(text, (self._control if assistant else self._markup).guard)
        if self._template is not None and not self._template.wants_argument_text:
            _open_arguments(out.get("tool_calls") or [])
        return out  # type: ignore[no-any-return]

    def _completion_ids(self, work: CompletionWork) -> list[int]:
        """A raw prompt is the caller's own: control tokens' texts in it are control tokens."""
        if isinstance(work.prompt, str):
            return self._with_bos(self._vocabulary.tokenize(work.prompt, special=True))
        self._check_ids(work.prompt, "prompt")
        return list(work.prompt)

    def _with_bos(self, ids: list[int]) -> list[int]:
        missing = self._vocabulary.adds_bos and ids[:1] != [self._vocabulary.bos]
        return [self._vocabulary.bos, *ids] if missing else ids

    def _inputs(self, job: Job, work: EmbeddingWork) -> PreparedInputs:
        if self._kind != "embedding":
            raise Refused("bad_request", "this model was not loaded for embeddings")
        if not 1 <= len(work.inputs) <= self._max_inputs:
            raise Refused("bad_request", f"there must be 1 to {self._max_inputs} inputs")
        inputs = tuple(tuple(self._input_ids(item)) for item in work.inputs)
        longest = max(map(len, inputs))
        if min(map(len, inputs)) == 0:
            raise Refused("bad_request", "an input is empty")
        if longest > self._context_tokens:
            raise Refused("context_overflow", f"an input has {longest} tokens, the limit here is {self._context_tokens} tokens")
        return PreparedInputs(job=job, inputs=inputs)

    def _input_ids(self, item: str | tuple[int, ...]) -> Sequence[int]:
        if isinstance(item, str):
            return self._vocabulary.tokenize(item, special=False, bos=True)
        self._check_ids(item, "an input")
        return item

    # ---- checks

    def _check_ids(self, ids: Sequence[int], name: str) -> None:
        if any(not 0 <= i < self._vocabulary.size for i in ids):
            raise Refused("bad_request", f"{name} holds a token id outside 0..{self._vocabulary.size - 1}")

    def _check_prefix(self, prefix: Sequence[int]) -> None:
        self._check_ids(prefix, "the prefix")
        if any(i in self._vocabulary.eog for i in prefix):
            raise Refused("bad_request", "the prefix holds an end-of-generation token")

    def _check_sampling(self, s: Sampling) -> None:
        wrong = [
            name
            for name, good in (
                ("max_tokens", s.max_tokens >= 0),
                ("temperature", 0 <= s.temperature <= 100),
                ("top_p", 0 <= s.top_p <= 1),
                ("min_p", 0 <= s.min_p <= 1),
                ("repeat_penalty", 0 < s.repeat_penalty <= 100),
                ("presence_penalty", abs(s.presence_penalty) <= 100),
                ("frequency_penalty", abs(s.frequency_penalty) <= 100),
                ("logprobs", s.logprobs is None or 0 <= s.logprobs <= MAX_TOP_LOGPROBS),
                ("stop", len(s.stop) <= MAX_STOPS and all(len(x) <= MAX_STOP_CHARS for x in s.stop)),
                ("logit_bias", self._is_bias(s.logit_bias)),
            )
            if not good
        ]
        if wrong:
            raise Refused("bad_request", f"out of range: {', '.join(wrong)}")

    def _is_bias(self, bias: dict[int, float]) -> bool:
        return len(bias) <= MAX_BIASES and all(0 <= i < self._vocabulary.size and abs(b) <= 1e6 for i, b in bias.items())


def _reads_calls(job: Job) -> bool:
    """Whether calls are looked for in the answer's text; what a grammar makes holds no marks."""
    return isinstance(job.work, ChatWork) and bytes(job.work.tools) != b"[]" and job.sampling.grammar is None


def _objects(raw: msgspec.Raw, name: str) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(raw, type=list[dict[str, Any]])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused("bad_request", f"{name}: not a list of JSON objects") from error


def _one_text(content: Any, *, none: str | None) -> Any:
    """Text parts joined by a newline, as llama.cpp's server does for templates that take text only."""
    if content is None:
        return none
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content


def _open_arguments(calls: Any) -> None:
    """Replaces the text of a call's arguments by the object it writes, in place; other text stays."""
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            try:
                arguments = msgspec.json.decode(function["arguments"])
            except msgspec.DecodeError:
                continue
            function["arguments"] = arguments if isinstance(arguments, dict) else function["arguments"]
