"""Pure: a BERT sentence embedder as published (config, vocabulary, weights) becomes the metadata and tensors for llama.cpp.

Names and conventions are those of llama.cpp's own converter (conversion/bert.py, 0c1e57098): matrices as float16; vectors,
positions and token types as float32; words of the vocabulary with a leading "▁" where BERT's pieces inside of words have "##".
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mote.embedder.gguf import Array, Value

MEAN = 1  # LLAMA_POOLING_TYPE_MEAN
MOSTLY_F16 = 1  # LLAMA_FTYPE_MOSTLY_F16
_NORMAL, _CONTROL = 1, 3  # token types
_SPECIAL = {"[UNK]": "unknown", "[SEP]": "seperator", "[PAD]": "padding", "[CLS]": "cls", "[MASK]": "mask"}  # ggml spells it so
_FULL = {"position_embd.weight", "token_types.weight"}  # float32, although they are matrices
_WHOLE = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
}
_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


class NotAnEmbedder(ValueError):
    """The files are not those of a BERT embedder that takes the mean of its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The files of the model as its makers publish them, read."""

    config: Mapping[str, object]
    pooling: Mapping[str, object]
    vocabulary: tuple[str, ...]
    weights: Mapping[str, npt.NDArray[np.float32]]


def published(read: Mapping[str, bytes]) -> Published:
    """From the files' bytes, by path below the model's folder. Raises NotAnEmbedder."""
    found = Published(
        config=json.loads(read["config.json"]),
        pooling=json.loads(read["1_Pooling/config.json"]),
        vocabulary=tuple(read["vocab.txt"].decode().splitlines()),
        weights=safetensors(read["model.safetensors"]),
    )
    if found.config.get("model_type") != "bert" or not found.pooling.get("pooling_mode_mean_tokens"):
        raise NotAnEmbedder("only BERT with the mean of its words as vector is understood")
    if len(found.vocabulary) != found.config["vocab_size"]:
        raise NotAnEmbedder(f"{len(found.vocabulary)} words, but the config says {found.config['vocab_size']}")
    return found


def safetensors(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """The float32 tensors of a safetensors file: 8 bytes of length, a JSON header with offsets, then the bytes."""
    (size,) = struct.unpack_from("<Q", data)
    header, start = json.loads(data[8 : 8 + size]), 8 + size
    found = {}
    for name, about in header.items():
        if about.get("dtype") == "F32":
            begin, end = about["data_offsets"]
            found[name] = np.frombuffer(data[start + begin : start + end], dtype="<f4").reshape(about["shape"])
    return found


def metadata(found: Published, *, name: str, licence: str) -> dict[str, Value]:
    """What llama.cpp must know of the model and of its tokenizer."""
    config = found.config

    def number(key: str) -> int:
        return int(str(config[key]))

    return {
        "general.architecture": "bert",
        "general.type": "model",
        "general.name": name,
        "general.license": licence,
        "bert.block_count": number("num_hidden_layers"),
        "bert.context_length": number("max_position_embeddings"),
        "bert.embedding_length": number("hidden_size"),
        "bert.feed_forward_length": number("intermediate_size"),
        "bert.attention.head_count": number("num_attention_heads"),
        "bert.attention.layer_norm_epsilon": float(str(config["layer_norm_eps"])),
        "bert.attention.causal": False,
        "bert.pooling_type": MEAN,
        "general.file_type": MOSTLY_F16,
        **_tokenizer(found.vocabulary, number("type_vocab_size")),
    }


def _tokenizer(words: tuple[str, ...], types: int) -> dict[str, Value]:
    return {
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.token_type_count": types,
        "tokenizer.ggml.tokens": [_spelt(word) for word in words],
        "tokenizer.ggml.token_type": [_CONTROL if word in _SPECIAL else _NORMAL for word in words],
        **{f"tokenizer.ggml.{role}_token_id": words.index(word) for word, role in _SPECIAL.items()},
    }


def _spelt(word: str) -> str:
    if word in _SPECIAL:
        return word
    return word[2:] if word.startswith("##") else "▁" + word


def tensors(found: Published) -> dict[str, Array]:
    """By llama.cpp's names, in a fixed order. Raises NotAnEmbedder when one is missing or strange."""
    names = {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in _WHOLE.items() for part in ("weight", "bias")}
    for number in range(int(str(found.config["num_hidden_layers"]))):
        for theirs, ours in _LAYER.items():
            for part in ("weight", "bias"):
                names[f"encoder.layer.{number}.{theirs}.{part}"] = f"blk.{number}.{ours}.{part}"
    unused = {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
    strange = set(found.weights) - set(names) - unused
    missing = {name for name in names if name.startswith("encoder") or name.endswith("weight")} - set(found.weights)
    if strange or missing:
        raise NotAnEmbedder(f"missing: {sorted(missing)}; not understood: {sorted(strange)}")
    return {ours: _stored(ours, found.weights[theirs]) for theirs, ours in names.items() if theirs in found.weights}


def _stored(name: str, weight: npt.NDArray[np.float32]) -> Array:
    return weight.astype(np.float16) if weight.ndim > 1 and name not in _FULL else weight
