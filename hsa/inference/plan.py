"""How a model runs HSA: the blocks, which heads open per query, and how much of each is HSA."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.attention.block_plan import BlockPlan, blocks_for
from hsa.attention.near import NearKeys
from hsa.attention.spending import sensible_everything, spend_alone
from hsa.errors import InputError
from hsa.field.model_field import ModelField
from hsa.memory.needed import BlockedShape


@dataclass(frozen=True)
class RunPlan:
    """Reads and β of every head of a model.

    Attributes:
        blocks: sizes of blocked HSA; None reads every key, which is standard attention.
        own: [L][H] far reads of each query of a head that opens for itself, 0 where it shares
            what its block opens.
        beta: share of HSA in each head's output: (1 - β)·standard + β·HSA.
        exact: heads that standard attention answers whatever β is; none when left out.
    """

    blocks: BlockPlan | None
    own: tuple[tuple[int, ...], ...]
    beta: Float[Tensor, "L H"]
    exact: Bool[Tensor, "L H"] | None = None

    def hsa_share(self, layer: int) -> Float[Tensor, " H"]:
        """β of a layer's heads, 0 where they stay exact."""
        beta = self.beta[layer]
        return beta if self.exact is None else beta.masked_fill(self.exact[layer], 0.0)

    def __post_init__(self) -> None:
        shape = tuple(self.beta.shape)
        if {(len(self.own), len(row)) for row in self.own} != {shape}:
            raise InputError(
                "Reads and β do not belong together",
                got=f"reads of {[len(row) for row in self.own]} heads, β of shape {shape}",
                needed="one of each for every layer and head",
            )
        if min(min(row) for row in self.own) < 0:
            raise InputError("Far reads are out of bounds", got="a negative number", needed="0 up")
        if not bool(((self.beta >= 0) & (self.beta <= 1)).all()):
            worst = self.beta.flatten()[(self.beta.flatten() - 0.5).abs().argmax()]
            raise InputError(
                "β is out of bounds", got=float(worst), needed="0 (standard) to 1 (HSA)"
            )

    def with_beta(self, beta: float | Tensor) -> RunPlan:
        """The same with β for the model, per layer [L] or per head [L, H].

        Raises:
            InputError: β outside 0 to 1, or for other layers and heads.
        """
        value = torch.as_tensor(beta, dtype=torch.float32)
        layers, heads = self.beta.shape
        if tuple(value.shape) not in ((), (layers,), (layers, heads)):
            raise InputError(
                "β does not fit the model",
                got=f"shape {tuple(value.shape)}",
                needed=f"one number, {layers} for its layers, or {layers} × {heads} for its heads",
            )
        if value.dim() == 1:
            value = value.unsqueeze(1)
        return replace(self, beta=value.expand(self.beta.shape).clone())


def blocked_shape(field: ModelField, plan: RunPlan) -> BlockedShape | None:
    """What the memory of this plan depends on; None where it reads every key."""
    sizes = plan.blocks
    if sizes is None:
        return None
    splats = max(head.splats for heads in field.heads for head in heads)
    alone = max(sum(reads > 0 for reads in layer) for layer in plan.own)
    return BlockedShape(
        splats, sizes.block, sizes.chunk, sizes.splats, sizes.tokens, alone, sizes.causal
    )


OPENINGS = ("query", "block", "mixed")
"""Every head opens per query; every head shares a block's opening; or only those that must not
open per query. The few that calibration gives all keys stay exact in the first and the last."""

LOOKS_UP = 2.5
"""Heads that need this many times the mean reads look up single tokens."""


def read_everything(layers: int, heads: int) -> RunPlan:
    """Standard attention in every head."""
    return RunPlan(None, ((0,) * heads,) * layers, torch.ones(layers, heads))


def shared_blocks(
    field: ModelField, tokens: int, far_reads: int, causal: bool = True
) -> BlockPlan | None:
    """Blocks for a text of T tokens whose queries read so many splats and far tokens.

    The near keys that suit the text's length come on top, as in the reference. None: the reads
    reach every key.
    """
    near = NearKeys.for_length(tokens, causal)
    beside = near.sinks + near.window if causal else near.step + 2 * near.window
    everything = min(far_reads + beside, tokens)
    return run_plan(field, tokens, everything, "block", causal).blocks


def run_plan(
    field: ModelField,
    tokens: int,
    reads: int | None = None,
    opening: str = "query",
    causal: bool = True,
) -> RunPlan:
    """A plan for texts of up to `tokens` tokens.

    Args:
        reads: everything that a query reads at the end of such a text, mean over heads: near
            keys, splats, tokens and the share of choosing. All tokens: standard attention.
        opening: one of OPENINGS.
        causal: whether the model reads one way; if both ways, a block has a near one more.
    """
    layers, heads = field.layers, field.query_heads
    reads = sensible_everything(tokens) if reads is None else reads
    if opening not in OPENINGS:
        raise InputError("No such opening", got=repr(opening), needed=", ".join(OPENINGS))
    if not 1 <= reads <= tokens:
        raise InputError(
            "These reads make no sense for this text",
            got=f"{reads} reads",
            needed=f"1 to {tokens}, the length of the text in tokens",
            attempt=f"{max(1, tokens // 10)}",
        )
    if reads == tokens:
        return read_everything(layers, heads)
    blocks = blocks_for(reads, causal)
    left = blocks.splats + blocks.tokens
    if opening == "block":
        return RunPlan(blocks, ((0,) * heads,) * layers, torch.ones(layers, heads))
    own = spend_alone(field, left, tokens)
    exact = own >= tokens
    if opening == "mixed":
        own = own.where(own > LOOKS_UP * own.float().mean(), 0)
    # What an exact head opens is thrown away, so it opens as little as can be.
    own = own.masked_fill(exact, 1)
    exact = exact if bool(exact.any()) else None
    return RunPlan(blocks, tuple(map(tuple, own.tolist())), torch.ones(layers, heads), exact)
