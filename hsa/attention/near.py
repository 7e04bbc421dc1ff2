"""Near keys, always read as tokens: sinks, the local window, special tokens (design §4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class QueryBlock:
    """Queries that share one set of far keys, hence one snapshot of moments."""

    queries: Int[Tensor, " Q"]
    far: Bool[Tensor, " T"]

    def near(self, causal: bool) -> Bool[Tensor, "Q T"]:
        """Keys that each query reads as tokens: all that it may see and that are not far."""
        keys = torch.arange(self.far.numel(), device=self.far.device)
        seen = keys <= self.queries.unsqueeze(1)
        return (seen | (not causal)) & ~self.far


@dataclass(frozen=True)
class NearKeys:
    """How many keys are near: the first `sinks`, and at least the last `window`.

    Moments are snapshots every `step` keys, so a causal query reads its last `window` to
    `window + step - 1` keys. A bidirectional query has the window on both sides and no sinks.
    """

    sinks: int
    window: int
    step: int

    @staticmethod
    def for_length(tokens: int, causal: bool) -> NearKeys:
        """(4, 64) from 512 tokens on; below, small enough that far keys remain."""
        if not causal:
            window = max(2, min(64, tokens // 16))
            return NearKeys(0, window, window)
        if tokens >= 512:
            return NearKeys(4, 64, 64)
        window = max(2, tokens // 8)
        return NearKeys(1, window, window)

    def blocks(
        self, queries: Int[Tensor, " Q"], special: Bool[Tensor, " T"], causal: bool
    ) -> Iterator[QueryBlock]:
        """Group queries by the far keys that they share, in the order of the text."""
        keys = torch.arange(special.numel(), device=special.device)
        if causal:
            start = (queries + 1 - self.window).div(self.step, rounding_mode="floor") * self.step
            start = start.clamp_min(min(self.sinks, special.numel()))
        else:
            start = queries.div(self.step, rounding_mode="floor") * self.step
        for boundary in start.unique().tolist():
            if causal:
                far = (keys >= self.sinks) & (keys < boundary)
            else:
                near = (keys >= boundary - self.window) & (
                    keys < boundary + self.step + self.window
                )
                far = ~near
            yield QueryBlock(queries[start == boundary], far & ~special)
