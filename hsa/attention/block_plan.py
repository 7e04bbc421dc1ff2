"""How blocked HSA spends its reads: blocks of queries, splats and tokens a block opens."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from hsa.attention.near import NearKeys
from hsa.errors import InputError
from hsa.hyperparameter import check_bounds, hyperparameter

SINKS = 4

ENDS = 2
"""Tokens that a text read both ways begins and ends with; every query reads them."""

AROUND = {True: (0, -1), False: (0, -1, 1)}
"""Near blocks, counted from a query's own, of a causal text and of one read both ways."""

NEAR = 0.4
"""Near keys take no more than this share of everything read."""

SPLATS = 0.47
"""Share of what is left beside the near keys that goes to closed splats (`hsa perplexity`)."""


def near_keys(block: int, causal: bool) -> int:
    """The most near keys that a query reads in blocks of this size."""
    return (SINKS if causal else ENDS) + len(AROUND[causal]) * block


@dataclass(frozen=True)
class BlockPlan:
    """Sizes of blocked HSA. A query reads at most 4 + 2·block + splats + tokens things.

    The block of queries [b·B, (b+1)·B) reads the sinks and the keys from (b-1)·B on as tokens;
    all keys before are far. What it opens of them was chosen by `scored` queries of each head
    in the block before. A text that is not `causal` is read both ways: the block after is near
    too, the text's first and last token stand for the sinks, and a block's own queries choose.
    A query that opens for itself also reads the tilt of closed splats of `tilted` keys and more;
    a shared opening has none. Without `closed_answer` the splats are switched off: the same
    keys are opened and the closed splats say nothing, the control that every figure stands
    beside.
    """

    block: int = hyperparameter(128, 8, 1024, "queries", "queries that share what they open")
    splats: int = hyperparameter(224, 1, 4096, "splats", "closed splats that a query evaluates")
    tokens: int = hyperparameter(256, 0, 1 << 20, "tokens", "far tokens read in opened splats")
    scored: int = hyperparameter(16, 1, 1024, "queries", "queries of a head that choose")
    chunk: int = hyperparameter(4, 1, 64, "blocks", "blocks computed at once (memory, speed)")
    tilted: int = hyperparameter(16, 2, 1 << 20, "keys", "closed splats of so many have a tilt")
    closed_answer: bool = True
    causal: bool = True

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.scored > self.block or self.block % self.scored:
            raise InputError(
                "Queries that choose must be evenly spaced in their block",
                got=f"{self.scored} of {self.block}",
                needed="a divisor of the block",
                attempt=f"{max(1, self.block // 8)}",
            )

    @property
    def near(self) -> NearKeys:
        """The same near keys in the words of the reference."""
        return (
            NearKeys(SINKS, self.block + 1, self.block)
            if self.causal
            else NearKeys(0, self.block, self.block)
        )

    @property
    def around(self) -> tuple[int, ...]:
        """Near blocks, counted from a query's own."""
        return AROUND[self.causal]

    @property
    def most_read(self) -> int:
        """The most that the last query of a block reads: near keys, splats and tokens."""
        return near_keys(self.block, self.causal) + self.splats + self.tokens

    def always_near(self, tokens: int) -> list[int]:
        """Keys that every query of a text of T tokens reads, wherever it stands."""
        return list(range(SINKS)) if self.causal else sorted({0, tokens - 1})

    def near_read(self, positions: Int[Tensor, " Q"], tokens: int) -> Int[Tensor, " Q"]:
        """Near keys that queries at these positions of T tokens read, themselves included."""
        before = (positions // self.block - 1).clamp_min(0) * self.block
        if self.causal:
            return positions + 1 - before + before.clamp_max(SINKS)
        end = ((positions // self.block + 2) * self.block).clamp_max(tokens)
        return end - before + (before > 0).long() + (end < tokens).long()


def blocks_for(reads: int, causal: bool) -> BlockPlan:
    """Blocks whose queries read about so many things: near keys, closed splats and tokens."""
    size = 128
    while size > 8 and near_keys(size, causal) > NEAR * reads:
        size //= 2
    left = max(reads - near_keys(size, causal), 2)
    splats = max(1, round(SPLATS * left))
    return BlockPlan(
        block=size, splats=splats, tokens=left - splats, scored=max(1, size // 16), causal=causal
    )
