"""Activations: what one attention layer was given for one text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Activations:
    """Queries, keys and values of one layer for one text of T tokens, padding removed.

    Plain tensors in the model's own dtype and on its device; no model behind them. The
    layer's own attention is softmax(scaling · q kᵀ over the visible keys) v.

    Attributes:
        q: queries of the H query heads, position encoding applied.
        k: keys of the G key/value heads, position encoding applied. Query head h reads
            key/value head h // (H / G).
        v: values of the G key/value heads.
        scaling: factor on q·k, dimensionless.
        causal: a query sees no later key.
        near_special: tokens that a bidirectional model treats as special ([CLS], [SEP]);
            all False in a causal model.
        sliding_window: a query sees only keys nearer than this many tokens (a causal one
            so many last keys, itself included). None: no limit.
    """

    layer: int
    q: Float[Tensor, "H T D"]
    k: Float[Tensor, "G T D"]
    v: Float[Tensor, "G T D"]
    scaling: float
    causal: bool
    near_special: Bool[Tensor, " T"]
    sliding_window: int | None = None

    @property
    def tokens(self) -> int:
        """T, the number of tokens."""
        return self.q.shape[1]

    @property
    def group(self) -> int:
        """H / G, the number of query heads that share one key/value head."""
        return self.q.shape[0] // self.k.shape[0]

    def to(self, device: torch.device | str) -> Activations:
        """The same on another device."""
        return replace(
            self, q=self.q.to(device), k=self.k.to(device), v=self.v.to(device),
            near_special=self.near_special.to(device),
        )  # fmt: skip

    def head(self, number: int) -> Activations:
        """One query head with its key/value head."""
        group = number // self.group
        return replace(
            self, q=self.q[number : number + 1], k=self.k[group : group + 1],
            v=self.v[group : group + 1],
        )  # fmt: skip

    def part(self, tokens: slice) -> Activations:
        """A stretch of the text, contiguous, with the positions that it had."""
        return replace(
            self, q=self.q[:, tokens].contiguous(), k=self.k[:, tokens].contiguous(),
            v=self.v[:, tokens].contiguous(), near_special=self.near_special[tokens],
        )  # fmt: skip

    def visible(self, rows: Tensor | None = None) -> Bool[Tensor, "R T"]:
        """Which keys each query may see; `rows` are query positions, all by default."""
        keys = torch.arange(self.tokens, device=self.q.device)
        queries = keys if rows is None else rows.to(self.q.device)
        distance = queries[:, None] - keys[None, :]
        seen = torch.ones_like(distance, dtype=torch.bool)
        if self.causal:
            seen &= distance >= 0
        if self.sliding_window is not None:
            seen &= distance.abs() < self.sliding_window
        return seen
