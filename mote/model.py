"""A llama-architecture transformer (RMSNorm, RoPE, SwiGLU, tied embeddings), fused for one CPU core."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Up to this length plain products are faster than the fused kernel, forward and backward together
# (bfloat16, rows x length = 3072, one core of an AMD EPYC, 2026-11-22: 6 against 29 ms at 64,
# 21 against 30 ms at 256, 49 against 47 ms at 512).
WRITTEN_OUT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes that define a model; `ff` is the feed-forward width, `context` is in tokens."""

    vocab: int = 1024
    width: int = 160
    layers: int = 4
    heads: int = 5
    ff: int = 448
    context: int = 1024
    rope_base: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    def as_dict(self) -> dict[str, int | float]:
        """Plain form for a checkpoint."""
        return asdict(self)


class Cast(nn.Linear):
    """A linear map without bias whose product is computed in the dtype of its input."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention for tensors of shape (rows, heads, length, head width)."""
    length = q.shape[2]
    if length > WRITTEN_OUT:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    future = torch.full((length, length), -1e4, dtype=q.dtype).triu_(1)
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + future).softmax(-1) @ v


class Block(nn.Module):
    """Attention and feed-forward, each with a norm before and the residual around."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.norm_attention = nn.Parameter(torch.ones(shape.width))
        self.norm_ff = nn.Parameter(torch.ones(shape.width))
        self.qkv = Cast(shape.width, 3 * shape.width)
        self.out = Cast(shape.width, shape.width)
        self.gate_up = Cast(shape.width, 2 * shape.ff)
        self.down = Cast(shape.ff, shape.width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, compute: torch.dtype) -> Tensor:
        x = x + self._attention(self._norm(x, self.norm_attention, compute), cos, sin)
        gate, up = self.gate_up(self._norm(x, self.norm_ff, compute)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)

    def _norm(self, x: Tensor, weight: Tensor, compute: torch.dtype) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), weight, self.shape.norm_eps).to(compute)

    def _attention(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, length, width = x.shape
        head = self.shape.head_width
        parts = self.qkv(x).view(rows, length, 3, self.shape.heads, head).permute(2, 0, 3, 1, 4)
        # Half-split rotation; export.py reorders the rows to the pairs that ggml rotates.
        turned = torch.addcmul(parts[:2] * cos, parts[:2].roll(head // 2, -1), sin)
        mixed = attend(turned[0], turned[1], parts[2])
        return self.out(mixed.transpose(1, 2).reshape(rows, length, width))


class Mote(nn.Module):
    """The whole model; `compute` is the dtype of the matrix products, the residual stays in float32."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape, compute: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.shape, self.compute = shape, compute
        self.embedding = nn.Parameter(torch.empty(shape.vocab, shape.width).normal_(0, 0.05))
        self.norm = nn.Parameter(torch.ones(shape.width))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self._draw_weights()
        cos, sin = rotation(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def _draw_weights(self) -> None:
        for name, weight in self.blocks.named_parameters():
            if weight.dim() != 2:
                continue
            ends_residual = name.endswith(("out.weight", "down.weight"))
            depth = (2 * self.shape.layers) ** -0.5 if ends_residual else 1.0
            nn.init.normal_(weight, 0, 0.5 * depth * weight.shape[1] ** -0.5)

    def hidden(self, ids: Tensor) -> Tensor:
        """Last hidden state, shape (rows, length, width), for token ids of shape (rows, length)."""
        length = ids.shape[1]
        cos, sin = self.cos[:length].to(self.compute), self.sin[:length].to(self.compute)
        x = F.embedding(ids, self.embedding)
        for block in self.blocks:
            x = block(x, cos, sin, self.compute)
        return F.rms_norm(x, (x.shape[-1],), self.norm, self.shape.norm_eps).to(self.compute)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary in float32."""
        return (hidden @ self.embedding.to(hidden.dtype).T).float()

    def forward(self, ids: Tensor) -> Tensor:
        return self.logits(self.hidden(ids))


def rotation(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosine and signed sine of every position, shape (context, head width)."""
    speed = shape.rope_base ** (-torch.arange(0, shape.head_width, 2).float() / shape.head_width)
    angle = torch.outer(torch.arange(shape.context).float(), speed)
    return torch.cat((angle.cos(), angle.cos()), -1), torch.cat((-angle.sin(), angle.sin()), -1)
