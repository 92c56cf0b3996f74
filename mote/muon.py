"""Muon: momentum whose updates are made orthogonal (Jordan et al. 2024), for the matrices of a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Coefficients of the quintic Newton-Schulz iteration (Jordan et al. 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
MOMENTUM = 0.95


@dataclass(slots=True)
class Matrix:
    """A fused weight seen as `parts` matrices of rows x columns, with its momentum."""

    weight: nn.Parameter
    parts: int
    rows: int
    columns: int
    momentum: Tensor


def orthogonal(batch: Tensor, steps: int = 5) -> Tensor:
    """Makes each wide matrix of a batch (count, rows, columns) nearly orthogonal."""
    a, b, c = QUINTIC
    x = batch / (batch.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).to(batch.dtype)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x


class Muon:
    """Steps the matrices; fused ones are split, and equal shapes are made orthogonal together."""

    def __init__(self, weights: Iterable[tuple[nn.Parameter, int]], *, decay: float, compute: torch.dtype) -> None:
        self.decay, self.compute = decay, compute
        self.groups: dict[tuple[int, int], list[Matrix]] = {}
        for weight, parts in weights:
            rows, columns = weight.shape[0] // parts, weight.shape[1]
            matrix = Matrix(weight, parts, rows, columns, torch.zeros(parts, rows, columns))
            self.groups.setdefault((min(rows, columns), max(rows, columns)), []).append(matrix)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One update with the given learning rate."""
        for group in self.groups.values():
            wide = torch.cat([self._direction(matrix) for matrix in group])
            for matrix, update in zip(group, orthogonal(wide).float().split([m.parts for m in group]), strict=True):
                turned = update.mT if matrix.rows > matrix.columns else update
                gain = max(1.0, matrix.rows / matrix.columns) ** 0.5
                matrix.weight.mul_(1 - rate * self.decay)
                matrix.weight.add_(turned.reshape(matrix.weight.shape), alpha=-rate * gain)

    def _direction(self, matrix: Matrix) -> Tensor:
        gradient = matrix.weight.grad
        assert gradient is not None, "backward comes before step"
        gradient = gradient.view_as(matrix.momentum)
        matrix.momentum.lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(matrix.momentum, MOMENTUM).to(self.compute)
        return ahead.mT if matrix.rows > matrix.columns else ahead
