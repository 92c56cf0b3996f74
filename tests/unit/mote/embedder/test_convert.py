"""A published BERT embedder becomes what llama.cpp reads, and anything else is refused."""

import json
import struct

import numpy as np
import numpy.typing as npt
import pytest

from mote.embedder.convert import NotAnEmbedder, metadata, published, tensors

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "#"]
CONFIG = {
    "model_type": "bert", "vocab_size": len(WORDS), "num_hidden_layers": 1, "max_position_embeddings": 16, "hidden_size": 4,
    "intermediate_size": 8, "num_attention_heads": 2, "layer_norm_eps": 1e-12, "type_vocab_size": 2,
}  # fmt: skip
LAYER = {
    "attention.self.query": (4, 4), "attention.self.key": (4, 4), "attention.self.value": (4, 4),
    "attention.output.dense": (4, 4), "attention.output.LayerNorm": (4,), "intermediate.dense": (8, 4),
    "output.dense": (4, 8), "output.LayerNorm": (4,),
}  # fmt: skip


def weights() -> dict[str, npt.NDArray[np.float32]]:
    shapes = {"embeddings.word_embeddings.weight": (8, 4), "embeddings.position_embeddings.weight": (16, 4)}
    shapes |= {"embeddings.token_type_embeddings.weight": (2, 4), "pooler.dense.weight": (4, 4)}
    shapes |= {f"embeddings.LayerNorm.{part}": (4,) for part in ("weight", "bias")}  # type: ignore[misc]
    for name, shape in LAYER.items():
        shapes |= {f"encoder.layer.0.{name}.weight": shape, f"encoder.layer.0.{name}.bias": shape[:1]}  # type: ignore[dict-item]
    return {name: np.full(shape, number, dtype=np.float32) for number, (name, shape) in enumerate(shapes.items())}


def files(weights: dict[str, npt.NDArray[np.float32]], **changes: object) -> dict[str, bytes]:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, array in weights.items():
        offsets = [len(body), len(body) + array.nbytes]
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": offsets}
        body += array.tobytes()
    told = json.dumps(header).encode()
    return {
        "config.json": json.dumps({**CONFIG, **changes}).encode(),
        "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
        "vocab.txt": "\n".join(WORDS).encode() + b"\n",
        "model.safetensors": struct.pack("<Q", len(told)) + told + body,
    }


def test_sizes_and_tokenizer_are_told() -> None:
    told = metadata(published(files(weights())), name="E", licence="MIT")
    assert (told["bert.block_count"], told["bert.context_length"], told["bert.pooling_type"]) == (1, 16, 1)
    assert told["bert.attention.causal"] is False
    assert told["tokenizer.ggml.tokens"] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁a", "b", "▁#"]
    assert told["tokenizer.ggml.token_type"] == [3, 3, 3, 3, 3, 1, 1, 1]
    assert (told["tokenizer.ggml.cls_token_id"], told["tokenizer.ggml.seperator_token_id"]) == (2, 3)


def test_matrices_are_halved_and_the_small_ones_kept() -> None:
    given = weights()
    made = tensors(published(files(given)))
    assert len(made) == 21 and "pooler.dense.weight" not in made
    kinds = {name: str(array.dtype) for name, array in made.items()}
    assert kinds["token_embd.weight"] == kinds["blk.0.ffn_up.weight"] == "float16"
    assert {kinds[f"{name}.weight"] for name in ("position_embd", "token_types", "token_embd_norm")} == {"float32"}
    assert np.array_equal(made["blk.0.attn_k.bias"], given["encoder.layer.0.attention.self.key.bias"])
    assert made["blk.0.ffn_down.weight"].shape == (4, 8)


@pytest.mark.parametrize("change", [{"model_type": "gpt2"}, {"vocab_size": 9}])
def test_what_is_no_such_model_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(NotAnEmbedder):
        published(files(weights(), **change))


def test_a_missing_or_strange_tensor_is_named() -> None:
    given = weights()
    del given["encoder.layer.0.output.dense.weight"]
    given["adapter.weight"] = np.ones(1, dtype=np.float32)
    with pytest.raises(NotAnEmbedder, match=r"missing: \['encoder.layer.0.output.dense.weight'\].*adapter.weight"):
        tensors(published(files(given)))
