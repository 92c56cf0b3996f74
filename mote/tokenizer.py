"""Mote's own byte-level BPE of 1 024 tokens, learnt from its dialogues.

No merge joins a space with letters before the word is complete, so "Paris" and " Paris" are cut alike
and copying is easy. Letter merges come from words; then (space, piece) and a few JSON merges are
appended. In llama.cpp's terms: model "gpt2", pre-tokenizer "qwen2".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
END_OF_TEXT, TURN_START, TURN_END = range(3)
# The pre-tokenizer that llama.cpp knows as "qwen2" (src/llama-vocab.cpp).
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPACE = "Ġ"
JSON_MERGES = [
    *((SPACE, '"'), ("{", '"'), ('"', ":"), ('"', ","), ('"', "}")),
    *(('"}', "}"), ("[", '"'), ('"', "]"), ('"]', "}"), ('",', '"')),
]
Merge = tuple[str, str]

# A word counts at most this often: words of the templates must not take all merges.
WORD_CAP = 400
# A piece gets a form with a space before it if it begins a word at least this often.
LEAST_STARTS = 4


def learn(texts: Sequence[str], vocabulary: int = 1024) -> Tokenizer:
    """Learns a tokenizer of exactly `vocabulary` tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    budget = vocabulary - len(CONTROL) - len(USER_DEFINED) - len(alphabet) - len(JSON_MERGES)
    letters, spaced = _learn_merges(texts, budget)
    merges = [*letters, *JSON_MERGES, *((SPACE, piece) for piece in spaced)]
    ids: dict[str, int] = {}
    for token in [*CONTROL, *USER_DEFINED, *alphabet, *(left + right for left, right in merges)]:
        ids.setdefault(token, len(ids))
    return _assemble(ids, merges)


def letter_pieces(tokenizer: Tokenizer) -> list[str]:
    """The tokens of two or more plain lower-case letters."""
    return sorted(t for t in tokenizer.get_vocab() if t.isascii() and t.isalpha() and t.islower() and len(t) > 1)


def _learn_merges(texts: Sequence[str], budget: int) -> tuple[list[Merge], list[str]]:
    """Letter merges and the pieces to get a form with a space: together they fill the budget."""
    counts = Counter(word for text in texts for word in re.findall(r"[^\W\d_]+", text))
    words = [word for word, count in counts.items() for _ in range(min(count, WORD_CAP))]
    starts = Counter(word for text in texts for word in re.findall(r" ([^\W\d_]+)", text))
    low, high = budget // 2, budget
    while low < high:
        # Fewest letter merges whose spaced forms fill the rest.
        middle = (low + high) // 2
        learnt = _train_letters(words, middle)
        if middle + len(_spaced(learnt, starts)) >= budget:
            high = middle
        else:
            low = middle + 1
    learnt = _train_letters(words, low)
    merges = json.loads(learnt.to_str())["model"]["merges"]
    return [(left, right) for left, right in merges], _spaced(learnt, starts)[: budget - low]


def _train_letters(words: Sequence[str], merges: int) -> Tokenizer:
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learnt.train_from_iterator(words, trainer)
    return learnt


def _spaced(learnt: Tokenizer, starts: Counter[str]) -> list[str]:
    first: Counter[str] = Counter()
    for word, count in sorted(starts.items()):
        first[learnt.encode(word).tokens[0]] += min(count, WORD_CAP)
    return [piece for piece, count in first.most_common() if count >= LEAST_STARTS]


def _assemble(ids: dict[str, int], merges: list[Merge]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in USER_DEFINED])
    return tokenizer
