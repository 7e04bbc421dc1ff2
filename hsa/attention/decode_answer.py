"""What a decoding step reads, and its softmax: together with its block, or alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.block_opening import KeysByPhrase, rows_at, tokens_of
from hsa.attention.block_plan import SINKS
from hsa.attention.block_sums import SplatTable
from hsa.attention.decode_tilt import Tilts
from hsa.attention.own_opening import OwnOpening


@dataclass(frozen=True)
class Near:
    """Keys from the block before on; `later` is -∞ where a key comes after its query."""

    k: Float[Tensor, "G L D"]
    v: Float[Tensor, "G L V"]
    later: Float[Tensor, "n L"] | None

    def logits(self, q: Float[Tensor, "G R n D"]) -> Float[Tensor, "G R n L"]:
        """Of scaled queries."""
        found = torch.bmm(q.flatten(1, 2), self.k.mT).view(*q.shape[:3], -1)
        return found if self.later is None else found + self.later


@dataclass(frozen=True)
class Shared:
    """What all queries of the current block read beyond its own keys and those before it.

    `k` and `v` are of sinks, opened tokens and closed splats, whose means are taken back from
    the frame. `reads` are those of one query, its share of choosing included.

    Attributes:
        bias: of a token 0, of a closed splat log n + ½τ/c; -∞ where there is none.
        variance, weight: c·s² and ½τ/c of the closed splats (`ClosedSplats`).
    """

    k: Float[Tensor, "G K+M D"]
    v: Float[Tensor, "G K+M V"]
    bias: Float[Tensor, "G R K+M"]
    variance: Float[Tensor, "G M D"]
    weight: Float[Tensor, "G R 1 M"]
    reads: Float[Tensor, " G"]

    def logits(
        self, rows: Float[Tensor, "G Rn D"], y: Float[Tensor, "G R n D"]
    ) -> Float[Tensor, "G Rn K+M"]:
        """Logits of tokens, log masses of closed splats."""
        many = y.shape[2]
        bias = self.bias if many == 1 else self.bias.repeat_interleave(many, 1)
        found = torch.baddbmm(bias, rows, self.k.mT)
        flat = y.flatten(1, 2)
        wide = torch.baddbmm(flat.new_ones(1), flat * flat, self.variance.mT)
        narrow = wide.reciprocal_().view(*y.shape[:3], -1)
        splats = found[..., -narrow.shape[-1] :].view(narrow.shape)
        splats.addcmul_(self.weight, narrow, value=-1)
        return found


def answer_together(
    shared: Shared | None,
    q: Float[Tensor, "G R n D"],
    y: Float[Tensor, "G R n D"],
    near: Near,
) -> Float[Tensor, "G R n V"]:
    """Every query reads near keys and what its block opened: one softmax over all of it.

    Plain products: for a single query fused attention took a third to a half longer.
    """
    rows = q.flatten(1, 2)
    logits = near.logits(q).flatten(1, 2)
    if shared is None:
        return torch.bmm(logits.softmax(-1), near.v).view(*q.shape[:3], -1)
    weights = torch.cat([logits, shared.logits(rows, y)], -1).softmax(-1)
    own, far = weights.split([logits.shape[-1], shared.k.shape[1]], dim=-1)
    return torch.baddbmm(torch.bmm(own, near.v), far, shared.v).view(*q.shape[:3], -1)


def tokens_of_each(
    opening: OwnOpening, table: SplatTable, keys: KeysByPhrase, bound: int
) -> tuple[Int[Tensor, "R n G K"], Bool[Tensor, "R n G K"]]:
    """The far keys that each query opened, padded, and which are there.

    Args:
        bound: the most that any query may open. Of several queries each is padded to it, for an
            output must not depend on what a later query opens, not even by its rounding.
    """
    opened = opening.opened[0].permute(1, 2, 0, 3)
    if opened.shape[1] == 1:
        bound = int(table.count[0].where(opened, 0.0).sum(-1).max())
    return tokens_of(opened, table, keys, max(bound, 1))


def answer_alone(
    opening: OwnOpening,
    opened: tuple[Int[Tensor, "R n G K"], Bool[Tensor, "R n G K"]],
    table: SplatTable,
    tilts: Tilts | None,
    closed_answer: bool,
    q: Float[Tensor, "G R n D"],
    y: Float[Tensor, "G R n D"],
    k: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    near: Near,
) -> tuple[Float[Tensor, "G R n V"], Float[Tensor, "G R n"]]:
    """Every query opens for itself and gathers what it opened (all heads of the layer)."""
    heads, many = q.shape[1:3]
    token, there = opened

    def gathered(kept: Tensor) -> Tensor:
        return rows_at(kept, token.flatten(0, 1)).float().unflatten(0, (heads, many)).movedim(2, 0)

    far = (gathered(k) @ q.unsqueeze(-1)).squeeze(-1)
    closed = opening.closed[0] & closed_answer
    parts = [
        near.logits(q),
        far.masked_fill(~there.movedim(2, 0), -torch.inf),
        q @ k[:, None, :SINKS].float().mT,
        opening.log_mass[0].masked_fill(~closed, -torch.inf),
    ]
    weight = torch.cat(parts, -1).softmax(-1).split([part.shape[-1] for part in parts], dim=-1)
    output = weight[0] @ near.v[:, None] + weight[2] @ v[:, None, :SINKS].float()
    output = output + (weight[1].unsqueeze(-2) @ gathered(v)).squeeze(-2)
    output = output + weight[3] @ table.value[0][:, None]
    if tilts is not None:
        output = output + tilts.lean(opening, weight[3], y)
    return output, opening.reads(table.count)[0]
