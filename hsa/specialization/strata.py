"""Strata: like is compared with like, by position, frequency and attention received."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.specialization.passages import Passage

POSITIONS = (64, 256, 512)
"""Bounds between strata of a key's position, in tokens."""

FREQUENCIES = (1e-4, 1e-3, 1e-2)
"""Bounds between strata of a token's share of the corpus."""

RECEIVED = (1 / 16, 1 / 4, 1.0, 4.0)
"""Bounds between strata of the attention that a key receives, in what it would receive if every
query looked everywhere alike."""

BY_TEXT = (len(POSITIONS) + 1) * (len(FREQUENCIES) + 1)
BY_ATTENTION = BY_TEXT * (len(RECEIVED) + 1)


def token_shares(corpus: Iterable[Passage]) -> dict[int, float]:
    """Each token's share of the corpus."""
    counts: Counter[int] = Counter()
    for passage in corpus:
        counts.update(passage.tokens.ids)
    total = max(1, sum(counts.values()))
    return {token: count / total for token, count in counts.items()}


def by_frequency(passage: Passage, shares: dict[int, float]) -> Int[Tensor, " T"]:
    """Stratum of each token's frequency."""
    share = torch.tensor([shares.get(token, 0.0) for token in passage.tokens.ids])
    return torch.bucketize(share, torch.tensor(FREQUENCIES))


def by_text(passage: Passage, shares: dict[int, float]) -> Int[Tensor, " T"]:
    """Stratum of each token's position and frequency."""
    position = torch.bucketize(torch.arange(len(passage.tokens)), torch.tensor(POSITIONS))
    return position * (len(FREQUENCIES) + 1) + by_frequency(passage, shares)


def by_attention(
    text: Int[Tensor, " T"], received: Float[Tensor, "H T"], causal: bool
) -> Int[Tensor, "H T"]:
    """Stratum of each key by position, frequency and what it receives, for every head."""
    even = even_attention(received.shape[1], causal).to(received)
    place = torch.bucketize(received / even, torch.tensor(RECEIVED, device=received.device))
    return text * (len(RECEIVED) + 1) + place


def even_attention(tokens: int, causal: bool) -> Float[Tensor, " T"]:
    """What each key receives where every query spreads its attention evenly."""
    if not causal:
        return torch.ones(tokens)
    share = 1.0 / torch.arange(1, tokens + 1, dtype=torch.float64)
    return share.flip(0).cumsum(0).flip(0).float()
