"""Laying one map over another without changing its shape: similarity Procrustes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Similarity:
    """places ↦ scale · places · turnᵀ + shift; `turn` is a rotation, or one with a reflection."""

    turn: Float[Tensor, "2 2"]
    scale: float
    shift: Float[Tensor, " 2"]

    def __call__(self, places: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
        return (self.scale * places.double() @ self.turn.mT + self.shift).float()


def unmoved() -> Similarity:
    """Everything stays where it is."""
    return Similarity(torch.eye(2, dtype=torch.float64), 1.0, torch.zeros(2, dtype=torch.float64))


def similarity(
    moving: Float[Tensor, "N 2"], fixed: Float[Tensor, "N 2"], *, scaled: bool = True
) -> Similarity:
    """The similarity that brings `moving` nearest to `fixed`, row by row, in least squares.

    With M and F the centred rows and U S Vᵀ = Fᵀ M: turn = U Vᵀ, scale = tr S / ‖M‖². Rows that
    all coincide tell neither turn nor scale, and are only shifted; no rows at all, nothing.

    Args:
        scaled: whether the size may change. Where rows have little to do with one another, the
            least squares of a size go to nought.
    """
    if not len(moving):
        return unmoved()
    moving, fixed = moving.double(), fixed.double()
    here, there = moving.mean(0), fixed.mean(0)
    apart, target = moving - here, fixed - there
    size = apart.square().sum()
    if float(size) == 0 or float(target.square().sum()) == 0:
        return Similarity(torch.eye(2, dtype=torch.float64), 1.0, there - here)
    u, strength, vt = torch.linalg.svd(target.mT @ apart)
    turn, scale = u @ vt, float(strength.sum() / size) if scaled else 1.0
    return Similarity(turn, scale, there - scale * turn @ here)
