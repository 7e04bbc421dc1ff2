"""How a model runs HSA: the blocks, which heads open per query, and how much of each is HSA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_plan import SINKS, BlockPlan
from hsa.errors import InputError


@dataclass(frozen=True)
class RunPlan:
    """Reads and β of every head of a model.

    Attributes:
        blocks: sizes of blocked HSA; None reads every key, which is standard attention.
        own: [L][H] far tokens that each query of a head opens for itself, 0 where it shares
            what its block opens.
        beta: share of HSA in each head's output: (1 - β)·standard + β·HSA.
    """

    blocks: BlockPlan | None
    own: tuple[tuple[int, ...], ...]
    beta: Float[Tensor, "L H"]

    def __post_init__(self) -> None:
        if not bool(((self.beta >= 0) & (self.beta <= 1)).all()):
            worst = self.beta.flatten()[(self.beta.flatten() - 0.5).abs().argmax()]
            raise InputError(
                "β is out of bounds", got=float(worst), needed="0 (standard) to 1 (HSA)"
            )

    def with_beta(self, beta: float | Tensor) -> RunPlan:
        """The same with β for the model, per layer [L] or per head [L, H]."""
        value = torch.as_tensor(beta, dtype=torch.float32)
        if value.dim() == 1:
            value = value.unsqueeze(1)
        return RunPlan(self.blocks, self.own, value.expand(self.beta.shape).clone())


def run_plan(
    layers: int,
    heads: int,
    tokens: int,
    reads: int | None = None,
    own_share: Sequence[Sequence[float]] | None = None,
    beta: float = 1.0,
) -> RunPlan:
    """A plan for texts of up to `tokens` tokens.

    Args:
        reads: everything that a query reads at the end of such a text, mean over heads: near
            keys, splats, tokens and its share of choosing. None or all tokens: every key.
        own_share: [L][H] what a head that opens per query opens, as a share of `reads`; 0
            where it shares. All share if left out.
    """
    if reads is not None and not 1 <= reads <= tokens:
        raise InputError(
            "These reads make no sense for this text",
            got=f"{reads} reads",
            needed=f"1 to {tokens}, the length of the text in tokens",
            attempt=f"{max(1, tokens // 10)}",
        )
    share = own_share or [[0.0] * heads] * layers
    blocks = None if reads is None or reads >= tokens else _blocks(tokens, reads)
    own = tuple(tuple(round(s * (reads or 0)) for s in row) for row in share)
    return RunPlan(blocks, own, torch.full((layers, heads), float(beta)))


def _blocks(tokens: int, reads: int) -> BlockPlan:
    """Blocks whose near keys take at most a third of the reads; the rest is shared out."""
    size = 128
    while size > 8 and SINKS + 2 * size > max(reads, 24) * 0.45:
        size //= 2
    left = max(reads - SINKS - 2 * size, 2)
    splats = max(1, round(0.42 * left))
    return BlockPlan(
        block=size, splats=splats, tokens=max(0, left - splats), scored=max(1, size // 16)
    )
