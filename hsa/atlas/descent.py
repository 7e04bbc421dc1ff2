"""UMAP's descent, without its dice: places whose neighbourhoods are those of the fuzzy graph.

umap-learn draws edges by their membership and, for each, five points to keep away from. Here
every pair counts by how often it would be drawn, so a map is the same at every run, needs no
compilation, and any number of threads may make one at a time. The loss that the draws follow on
average is Damrich & Hamprecht's (2021):

    Σ_ij -2 μ_ij log ν_ij - (5/N)(d_i + d_j)/2 · log(1 - ν_ij),   ν = 1/(1 + a‖y_i - y_j‖^2b)

with d_i = Σ_j μ_ij, and a, b those of umap-learn's defaults (min_dist 0.1, spread 1).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

A, B = 1.5769434, 0.8950608
DRAWN_AWAY = 5
NEAREST = 1e-8
STRONGEST = 4.0
"""No pair pulls or pushes more, as in umap-learn."""
LEAST_DRAWN = 1 / 500
"""Edges weaker than this umap-learn never draws; and they would come near to denormal numbers."""
KEEPS = 0.9, 0.99
"""How much of the mean and of the mean square of the force a step keeps (Adam)."""


def descend(
    graph: Float[Tensor, "N N"],
    start: Float[Tensor, "N 2"],
    steps: int,
    rate: float,
    stopped: Callable[[], bool] = lambda: False,
) -> Float[Tensor, "N 2"]:
    """Follow the force for so many steps, by Adam with a rate that falls to zero.

    Args:
        stopped: asked before every step; what was reached until then is returned.
    """
    graph = graph.where(graph >= LEAST_DRAWN, 0.0)
    place = start.float().clone()
    degree = graph.sum(1)
    push = DRAWN_AWAY / len(graph) * (degree.unsqueeze(1) + degree) / 2
    mean, square = torch.zeros_like(place), torch.zeros_like(place)
    for step in range(steps):
        if stopped():
            break
        force = _force(graph, push, place)
        mean = KEEPS[0] * mean + (1 - KEEPS[0]) * force
        square = KEEPS[1] * square + (1 - KEEPS[1]) * force.square()
        sure_mean = mean / (1 - KEEPS[0] ** (step + 1))
        sure_square = square / (1 - KEEPS[1] ** (step + 1))
        place += rate * (1 - step / steps) * sure_mean / (sure_square.sqrt() + 1e-6)
    return place


def _force(
    graph: Float[Tensor, "N N"], push: Float[Tensor, "N N"], place: Float[Tensor, "N 2"]
) -> Float[Tensor, "N 2"]:
    """Minus the gradient: Σ_j c_ij (y_i - y_j), c the push less the pull of every pair."""
    # By differences: as products, squares of small distances cancel to nothing.
    x, y = place.unbind(1)
    square = (x.unsqueeze(1) - x).square_() + (y.unsqueeze(1) - y).square_()
    square = square.clamp_min_(NEAREST)
    powered = square.pow(B).mul_(A)
    most = STRONGEST * square.rsqrt()
    pull = (2 * A * B * powered / (A * square * (1 + powered))).clamp_max(most)
    away = (2 * B / ((0.001 + square) * (1 + powered))).clamp_max(most)
    strength = (push * away - 2 * graph * pull).fill_diagonal_(0.0)
    return strength.sum(1, keepdim=True) * place - strength @ place
