"""Who is whose neighbour, and how much: UMAP's fuzzy graph (McInnes et al. 2018, §3.1)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

NEIGHBOURS = 15
"""Each splat itself among them, as umap-learn counts."""

HALVINGS = 64
LEAST_SCALE = 1e-3
"""Of the mean distance: a scale never falls below, so that equal points do not divide by zero."""


def fuzzy_graph(points: Float[Tensor, "N D"], neighbours: int = NEIGHBOURS) -> Float[Tensor, "N N"]:
    """Symmetric memberships μ between 0 and 1, from exact distances.

    A point's neighbours at distance d have w = exp(-max(0, d - ρ)/σ), ρ the distance of the
    nearest that is not at the same place and σ such that they sum to log₂ k; either side may
    hold an edge: μ = w + wᵀ - w·wᵀ.
    """
    count = len(points)
    k = min(neighbours, count)
    distance = torch.cdist(points.double(), points.double())
    distance.fill_diagonal_(0.0)
    near = distance.topk(k, largest=False)
    apart = near.values.masked_fill(near.values <= 0, torch.inf)
    rho = apart.amin(1, keepdim=True).nan_to_num(posinf=0.0)
    beyond = (near.values - rho).clamp_min(0)
    # The point itself is the first of its neighbours and no edge.
    sigma = _scales(beyond[:, 1:], math.log2(k))
    floor = LEAST_SCALE * torch.where(rho > 0, near.values.mean(1, keepdim=True), distance.mean())
    weight = (-beyond / torch.maximum(sigma, floor).clamp_min(1e-12)).exp()
    held = torch.zeros(count, count, dtype=torch.float64).scatter_(1, near.indices, weight)
    held.fill_diagonal_(0.0)
    return (held + held.mT - held * held.mT).float()


def _scales(beyond: Float[Tensor, "N K"], wanted: float) -> Float[Tensor, "N 1"]:
    """σ with Σ exp(-d/σ) = wanted, by halving; the sum grows with σ."""
    low = torch.zeros(len(beyond), 1, dtype=torch.float64)
    high = torch.full_like(low, torch.inf)
    sigma = torch.ones_like(low)
    for _ in range(HALVINGS):
        much = (-beyond / sigma).exp().sum(1, keepdim=True) > wanted
        high, low = torch.where(much, sigma, high), torch.where(much, low, sigma)
        sigma = torch.where(high.isinf(), 2 * sigma, (low + high) / 2)
    return sigma
