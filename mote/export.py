"""Writes a checkpoint as a llama-architecture GGUF file with its tokenizer and chat template."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import torch

from mote.model import Shape
from mote.tokenizer import CONTROL, END_OF_TEXT, TURN_END, USER_DEFINED

Matrix = npt.NDArray[np.float32]
TEMPLATE = Path(__file__).with_name("chat_template.jinja")
Q8_0 = gguf.GGMLQuantizationType.Q8_0


def export(run: Path, target: Path) -> None:
    """Exports the folder that train.py wrote; matrices as Q8_0, norms as float32."""
    checkpoint = torch.load(run / "mote.pt", weights_only=True)
    shape = Shape(**checkpoint["shape"])
    weights = {name: weight.float().numpy() for name, weight in checkpoint["weights"].items()}
    tokenizer = json.loads((run / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    writer = gguf.GGUFWriter(partial, "llama")
    add_shape(writer, shape)
    add_tokenizer(writer, tokenizer)
    for name, weight in tensors(shape, weights):
        add_tensor(writer, name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(target)


def add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """The model's sizes and what it is."""
    writer.add_name("mote")
    writer.add_description("micro-model trained on generated dialogues, for tests and demonstrations")
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ff)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_vocab_size(shape.vocab)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict[str, Any]) -> None:
    """Tokens, merges, special tokens and the chat template."""
    tokens = sorted(tokenizer["vocab"], key=tokenizer["vocab"].__getitem__)
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [kinds.CONTROL if t in CONTROL else kinds.USER_DEFINED if t in USER_DEFINED else kinds.NORMAL for t in tokens]
    )
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["merges"]])
    writer.add_bos_token_id(END_OF_TEXT)
    writer.add_pad_token_id(END_OF_TEXT)
    writer.add_eos_token_id(TURN_END)
    writer.add_eot_token_id(TURN_END)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE.read_text(encoding="utf-8").strip())


def tensors(shape: Shape, weights: dict[str, Matrix]) -> list[tuple[str, Matrix]]:
    """All tensors under their GGUF names, fused ones split."""
    found = [("token_embd", weights["embedding"]), ("output_norm", weights["norm"])]
    for number in range(shape.layers):
        own, named = f"blocks.{number}.", f"blk.{number}."
        query, key, value = np.split(weights[own + "qkv.weight"], 3)
        gate, up = np.split(weights[own + "gate_up.weight"], 2)
        found += [
            (named + "attn_norm", weights[own + "norm_attention"]),
            (named + "attn_q", pairs(query, shape)),
            (named + "attn_k", pairs(key, shape)),
            (named + "attn_v", value),
            (named + "attn_output", weights[own + "out.weight"]),
            (named + "ffn_norm", weights[own + "norm_ff"]),
            (named + "ffn_gate", gate),
            (named + "ffn_up", up),
            (named + "ffn_down", weights[own + "down.weight"]),
        ]
    return [(f"{name}.weight", weight) for name, weight in found]


def pairs(weight: Matrix, shape: Shape) -> Matrix:
    """Rows of a half-split rotation, reordered to the neighbouring pairs that ggml rotates."""
    halves = weight.reshape(shape.heads, 2, shape.head_width // 2, shape.width)
    return halves.swapaxes(1, 2).reshape(shape.width, shape.width)


def add_tensor(writer: gguf.GGUFWriter, name: str, weight: Matrix) -> None:
    """A norm as it is, a matrix quantized."""
    weight = np.ascontiguousarray(weight, np.float32)
    if weight.ndim == 1:
        writer.add_tensor(name, weight)
    else:
        writer.add_tensor(name, gguf.quants.quantize(weight, Q8_0), raw_dtype=Q8_0)


def main() -> int:
    """Exports one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder that train.py wrote")
    parser.add_argument("target", type=Path, help="GGUF file to write")
    options = parser.parse_args()
    export(options.run, options.target)
    print(f"{options.target}: {options.target.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
