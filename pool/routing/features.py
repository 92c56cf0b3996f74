"""What a request asks for, read off it by a few rules: words, signs and sizes. No model is asked."""

import json
import re
from dataclasses import dataclass
from typing import Literal

from pool.openai.types import ChatRequest, CompletionRequest

Language = Literal["en", "fr", "de", "es", "zh", "other"]
BYTES_PER_TOKEN = 4  # a usual English figure; an estimate for choosing only
READ_CHARACTERS = 2000  # the task stands at either end of a long text; reading this much takes 3 ms (November 2026)
LONG_TALK_WORDS = 30

_COMMON: dict[Language, str] = {
    "en": "the is are of and to you what how i my in a it for with can do this",
    "fr": "le la les est des et vous que un une je dans pour avec du ce comment quelle mon bonjour merci",
    "de": "der die das ist und ich nicht ein eine wie mit für zu den von mir was mein guten danke hallo",
    "es": "el los las es y un una que de en por para con mi cómo qué del hola gracias está me",
}
_STOPWORDS = {name: frozenset(words.split()) for name, words in _COMMON.items()}
_WORD = re.compile(r"[^\W\d_]+")
_FAR = re.compile(r"[\u0370-\u1fff\u3040-\u30ff\uac00-\ud7af]")  # Greek to Ethiopic, kana, hangul
_HAN = re.compile(r"[\u4e00-\u9fff]")
_CODE = re.compile(
    r"```|^[ \t]*(def|class|import|from|func|fn|public|#include|SELECT)\b|=>|\w\(\)|</\w+>|[{;][ \t]*$"
    r"|\b(python|javascript|typescript|java|rust|golang|c\+\+|sql|html|css|bash|regex|regexp|json|docker|kubernetes|git|api)\b"
    r"|\b(code|script|function|unit tests?|stack ?trace|compil\w+|debug\w*|refactor\w*)\b"
    r"|\b(fonction|skript|programm|código|función)\b"
    r"|代码|函数|脚本|编程|程序|正则",
    re.IGNORECASE | re.MULTILINE,
)
_HARD = re.compile(
    r"\b(prove|proof|derive|theorem|integral|derivative|eigen\w+|differential|probability|step by step|trade-?offs?)\b"
    r"|\b(anal[iy][sz]\w*|evaluat\w+|critique|compare|in depth|essay|strateg\w+|root cause|business plan)\b"
    r"|\b(démontre\w*|prouve\w*|dérivée|intégrale|théorème|probabilité|compare[rz]?|dissertation|stratégie|étape par étape)\b"
    r"|\b(beweis\w*|ableitung|wahrscheinlichkeit|vergleich\w*|bewerte\w*|erörter\w*|schritt für schritt|satz von)\b"
    r"|\b(demuestra|demostrar|derivada|teorema|probabilidad|compara\w*|evalúa\w*|ensayo|estrategia|paso a paso)\b"
    r"|证明|推导|积分|导数|概率|定理|分析|比较|评估|论文|策略",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"\b(explain|why|describe|summari[sz]e|translate|write|rewrite|list|difference|recommend|suggest|extract|classify|draft)\b"
    r"|\b(give me|make|create|build|correct|fix|plan|design|solve)\b"
    r"|\b(how (do|does|can|to|did)|what causes?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What matters for the choice of a tier. `prompt_tokens` is an estimate; `asked_again`: the same not long ago."""

    prompt_tokens: int
    tools: bool
    code: bool
    hard: bool
    task: bool
    language: Language
    asked_again: bool = False


def features(request: ChatRequest | CompletionRequest, text: str, *, asked_again: bool = False) -> Features:
    """The features of a request whose `asked_text` is `text`. `asked_again` is known to whoever remembers."""
    text = text if len(text) <= READ_CHARACTERS else text[: READ_CHARACTERS // 2] + "\n" + text[-READ_CHARACTERS // 2 :]
    return Features(
        prompt_tokens=prompt_tokens(request),
        tools=isinstance(request, ChatRequest) and bool(request.tools),
        code=_CODE.search(text) is not None,
        hard=_HARD.search(text) is not None,
        task=_TASK.search(text) is not None or len(_WORD.findall(text)) > LONG_TALK_WORDS,
        language=language(text),
        asked_again=asked_again,
    )


def asked_text(request: ChatRequest | CompletionRequest) -> str:
    """The last thing that the user said; of a raw completion its first prompt. Empty where there is no text."""
    if isinstance(request, CompletionRequest):
        return request.prompts[0] if isinstance(request.prompts[0], str) else ""
    said = [turn["content"] for turn in json.loads(request.messages) if turn["role"] == "user"]
    return str(said[-1]) if said else ""


def prompt_tokens(request: ChatRequest | CompletionRequest) -> int:
    """About how many tokens the longest prompt has."""
    if isinstance(request, ChatRequest):
        return (len(request.messages) + len(request.tools_json)) // BYTES_PER_TOKEN
    return max(len(p.encode()) // BYTES_PER_TOKEN if isinstance(p, str) else len(p) for p in request.prompts)


def language(text: str) -> Language:
    """The language by script and by its commonest words; English where nothing tells."""
    words = [word.lower() for word in _WORD.findall(text)]
    letters = sum(map(len, words)) or 1
    if len(_HAN.findall(text)) * 3 > letters and not len(_FAR.findall(text)) * 10 > letters:
        return "zh"
    if len(_FAR.findall(text)) * 3 > letters:
        return "other"
    counts = {name: sum(word in known for word in words) for name, known in _STOPWORDS.items()}
    return max(counts, key=lambda name: counts[name])
