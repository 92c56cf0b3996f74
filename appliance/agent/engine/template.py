"""The model's chat template: rendered as Hugging Face does it, in a sandbox, with limits on size and time.

A template is as trusted as the file it came in (the file's hash is checked before); messages are data to it. The limits
keep an honest mistake or a hostile message from stopping the engine: `range` ends at 100 000 (jinja2's own sandbox),
`*` and `**` cannot make huge values, the output is counted while it is made, and a real timer interrupts everything else.
"""

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from types import FrameType
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_TEMPLATE_CHARS = 256 * 1024
MAX_RENDERED_CHARS = 16 * 1024 * 1024
RENDER_S = 2.0  # the longest published template with 1 MiB of messages takes 0.05 s
MAX_REPEATED = 100_000

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + (message.content or '') + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class TemplateFailed(Exception):
    """The template cannot be compiled or rendered with these messages; the text says why."""


class TimeIsUp(Exception):
    """A time limit was reached."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TimeIsUp inside the block after `seconds`. For the main thread only: it uses SIGALRM.

    The signal's handler runs between two bytecodes, so it ends any loop; a single long C call would delay it, and the
    sandbox does not allow one.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuses products and powers that would not fit into memory."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sizes = [len(x) for x in (left, right) if isinstance(x, (str, list, tuple))]
        numbers = [abs(x) for x in (left, right) if isinstance(x, (int, float))]
        too_long = sizes and numbers and sizes[0] * numbers[0] > MAX_REPEATED
        too_great = (operator == "**" and max(numbers, default=0) > 1000) or max(numbers, default=0) > 2**64
        if too_long or too_great:
            raise TemplateError("a product or power in the chat template is too large")
        return super().call_binop(context, operator, left, right)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    """`tojson` as transformers has it: plain JSON without HTML escapes."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


def _raise(message: str) -> None:
    raise TemplateError(message)


class ChatTemplate:
    """A compiled template; `bos` and `eos` are those tokens' texts. Raises TemplateFailed."""

    def __init__(self, source: str, *, bos: str = "", eos: str = "") -> None:
        if len(source) > MAX_TEMPLATE_CHARS:
            raise TemplateFailed(f"the chat template has {len(source)} characters, more than {MAX_TEMPLATE_CHARS}")
        sandbox = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        sandbox.filters["tojson"] = _to_json
        sandbox.globals["raise_exception"] = _raise
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self.wants_argument_text = "arguments is string" in source
        self._effort, self._switch = "reasoning_effort" in source, "enable_thinking" in source
        try:
            self._template = sandbox.from_string(source)
        except (TemplateError, RecursionError, MemoryError) as error:
            raise TemplateFailed(f"the chat template cannot be compiled: {error}") from error

    def reasoning(self, effort: str) -> Mapping[str, Any]:
        """The variables that make the model reason so much: by degrees (gpt-oss), or not at all (Qwen3).

        Raises TemplateFailed for what this template cannot be told.
        """
        if not effort:
            return {}
        if effort == "none" and self._switch:
            return {"enable_thinking": False}
        if effort in ("low", "medium", "high") and self._effort:
            return {"reasoning_effort": effort, "enable_thinking": True}
        if effort in ("medium", "high") and self._switch:
            return {"enable_thinking": True}
        can = "'none', 'medium' or 'high'" if self._switch else "'low', 'medium' or 'high'" if self._effort else "nothing"
        raise TemplateFailed(f"reasoning_effort '{effort}' cannot be told to this model; it takes {can}")

    def render(self, messages: Sequence[Any], tools: Sequence[Any], now: float, effort: str = "") -> str:
        """The prompt's text, ready for the assistant's turn; `now` in seconds since 1970, shown as UTC.

        `effort`: see `reasoning`. Raises TemplateFailed, also when a limit was reached.
        """
        moment = datetime.fromtimestamp(now, tz=timezone.utc)
        values = {
            "messages": messages,
            "tools": tools or None,
            "add_generation_prompt": True,
            "strftime_now": moment.strftime,
            **self.reasoning(effort),
            **self._tokens,
        }
        try:
            with time_limit(RENDER_S):
                return self._limited(values)
        except TimeIsUp as error:
            raise TemplateFailed(f"the chat template took longer than {RENDER_S} s") from error
        except (
            TemplateError,
            ArithmeticError,
            LookupError,
            RecursionError,
            MemoryError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise TemplateFailed(f"the chat template refused these messages: {error}"[:300]) from error

    def _limited(self, values: Mapping[str, Any]) -> str:
        parts: list[str] = []
        size = 0
        for part in self._template.generate(**values):
            size += len(part)
            if size > MAX_RENDERED_CHARS:
                raise TemplateError(f"it makes more than {MAX_RENDERED_CHARS} characters")
            parts.append(part)
        return "".join(parts)
