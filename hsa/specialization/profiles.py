"""Where in a text a splat lives: positions of its keys, and distances over which it is read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

POSITION_BINS = 24


@dataclass(frozen=True)
class Profile:
    """A splat's mass over bins of tokens; bin b is edges[b] up to edges[b + 1] - 1.

    Masses are shares of all attention of the head, so they sum to the splat's mass, and `head`
    to 1. Both attentions stand beside each other; the head is standard attention's.

    Attributes:
        keys: of the splat in each bin, or, over distances, (query, key) pairs that it is in.
        head: what all keys of the head receive in each bin.
    """

    edges: Int[Tensor, " B+1"]
    keys: Int[Tensor, " B"]
    standard: Float[Tensor, " B"]
    hsa: Float[Tensor, " B"]
    head: Float[Tensor, " B"]


def position_edges(tokens: int) -> Int[Tensor, " B+1"]:
    """Bins of one width that cover the text, at most `POSITION_BINS` of them."""
    width = max(1, -(-tokens // POSITION_BINS))
    return torch.arange(0, tokens + width, width)


def distance_edges(tokens: int) -> Int[Tensor, " B+1"]:
    """0, 1, 2 to 3, 4 to 7, … tokens: half of what a head does lies among the first few."""
    edges = [0, 1]
    while edges[-1] < tokens:
        edges.append(2 * edges[-1])
    return torch.tensor(edges)


def bin_of(edges: Int[Tensor, " B+1"], place: Int[Tensor, ...]) -> Int[Tensor, ...]:
    """The bin that each place lies in."""
    return torch.bucketize(place, edges, right=True) - 1


def summed(
    edges: Int[Tensor, " B+1"], place: Int[Tensor, ...], weight: Float[Tensor, ...]
) -> Float[Tensor, " B"]:
    """What each bin receives."""
    total = torch.zeros(edges.numel() - 1, dtype=weight.dtype)
    return total.index_add_(0, bin_of(edges, place).flatten(), weight.flatten())
