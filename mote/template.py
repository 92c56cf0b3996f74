"""Renders OpenAI-style messages with mote's chat template, as an engine would."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

FILE = Path(__file__).with_name("chat_template.jinja")


def _plain_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def render_messages(
    template: str, messages: Sequence[Mapping[str, object]], tools: Sequence[Mapping[str, object]] | None = None
) -> str:
    """The prompt for the next answer."""
    return _compiled(template).render(messages=messages, tools=tools, add_generation_prompt=True)


@lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    """The template with a `tojson` of our own: Jinja's escapes for HTML."""
    environment = ImmutableSandboxedEnvironment(autoescape=False)
    environment.filters["tojson"] = _plain_json
    return environment.from_string(template)
