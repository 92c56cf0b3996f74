"""The pool's reading of gpt-oss' answers beside that of `openai-harmony`, OpenAI's own parser: no pool runs here.

openai-harmony reads token ids, by a vocabulary that it would fetch; litellm carries the same file. The pool reads text.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import litellm
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from iamine.ids import JobId
from pool.openai.types import ToolCall
from pool.toolcalls.formats import Formats, reader
from pool.toolcalls.types import Calls, Reasoning, Tools

# The name is the SHA-1 of where o200k_base.tiktoken is published; openai-harmony checks the file's own hash.
O200K = Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers" / "fb374d419588a4632f3f557e76b4b70aebbca790"
ANALYSIS = "<|channel|>analysis<|message|>"
FINAL = "<|channel|>final<|message|>"
NEXT = "<|start|>assistant"
CALL = '<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"a": 1}<|call|>'
JSON = " <|constrain|>json"
ANSWERS = {
    "final": f"{FINAL}Hello there.<|return|>",
    "analysis and final": f"{ANALYSIS}Simple.<|end|>{NEXT}{FINAL}Four.<|return|>",
    "a call": f"{ANALYSIS}I must add.<|end|>{NEXT}{CALL}",
    "a call whose recipient stands in the role": (
        f"{ANALYSIS}Add.<|end|>{NEXT} to=functions.add<|channel|>commentary <|constrain|>json<|message|>{{}}<|call|>"
    ),
    "a call without a constraint": '<|channel|>commentary to=functions.add<|message|>{"t": "é 🙂"}<|call|>',
    "a preamble": f"<|channel|>commentary<|message|>I will add.<|end|>{NEXT}{CALL}",
    "two thoughts": f"{ANALYSIS}One.<|end|>{NEXT}{ANALYSIS}Two.<|end|>{NEXT}{FINAL}Done.<|return|>",
    "cut short": f"{ANALYSIS}I was thinking",
    "marks in a string": f"<|channel|>commentary to=functions.add{JSON}<|message|>"
    + json.dumps({"t": "a < b | c"})
    + "<|call|>",
}


@pytest.fixture(scope="module")
def encoding(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("vocabulary")
    shutil.copy(O200K, folder / "o200k_base.tiktoken")
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(folder)
    from openai_harmony import HarmonyEncodingName, load_harmony_encoding

    return load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)


def theirs(encoding: Any, text: str) -> dict[str, Any]:
    """What openai-harmony reads, by what a client is told of it."""
    from openai_harmony import Role, StreamableParser

    parser = StreamableParser(encoding, role=Role.ASSISTANT)
    for token in encoding.encode(text, allowed_special="all"):
        parser.process(token)
    found: dict[str, Any] = {"reasoning": [], "content": [], "calls": []}
    messages = [(one.channel, one.recipient, one.content[0].text) for one in parser.messages]
    if parser.current_content:
        messages.append((parser.current_channel, parser.current_recipient, parser.current_content))
    for channel, recipient, content in messages:
        if recipient and recipient.startswith("functions."):
            found["calls"].append((recipient.removeprefix("functions."), json.loads(content)))
        else:
            found["reasoning" if channel == "analysis" else "content"].append(content)
    return {**found, "reasoning": "\n\n".join(found["reasoning"]), "content": "\n\n".join(found["content"])}


def ours(text: str, size: int) -> dict[str, Any]:
    calls = Calls(JobId("j"), Tools(accepts=lambda name, _: name == "add", schemas={"add": {}}))
    one = reader(Formats(tool="harmony", reasoning="harmony"), calls, tools=True, opened=False)
    parts = [part for at in range(0, len(text), size) for part in one.feed(text[at : at + size])] + one.finish()
    return {
        "reasoning": "".join(part.text for part in parts if isinstance(part, Reasoning)),
        "content": "".join(part for part in parts if isinstance(part, str)),
        "calls": [(part.name, json.loads(part.arguments)) for part in parts if isinstance(part, ToolCall)],
    }


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", list(ANSWERS))
def test_both_read_the_same(encoding: Any, name: str, size: int) -> None:
    assert ours(ANSWERS[name], size) == theirs(encoding, ANSWERS[name])
