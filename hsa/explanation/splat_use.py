"""What a prompt does with each splat of a head: keys held, attention received, error made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.effective import effective_weights
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.field.frame import keys_into_frame
from hsa.field.layer_field import LayerField
from hsa.field.routing import route
from hsa.field.splat_field import DOCUMENT, PHRASE, SECTION

LOOKED_AT = 8
"""Keys kept for each query, those that it attends to most."""
ROWS_AT_ONCE = 4_000_000
"""Weights that are held at a time."""


@dataclass(frozen=True)
class SplatUse:
    """One key/value head with its R query heads, over a text of T tokens.

    Attributes:
        x: keys in the head's frame.
        key_row: the field's row of every key's Document, Section and Phrase.
        keys: how many of the text's keys each splat holds.
        mass: share of standard attention that they receive, mean over queries and query heads.
        received: the same of every key.
        seen, seen_weight: the keys that each query attends to most, the first token apart, and
            their weights, mean over the query heads; weight 0 where it may not look.
    """

    x: Float[Tensor, "T D"]
    key_row: Int[Tensor, "T 3"]
    keys: Int[Tensor, " N"]
    mass: Float[Tensor, " N"]
    received: Float[Tensor, " T"]
    seen: Int[Tensor, "T K"]
    seen_weight: Float[Tensor, "T K"]

    def held(self, row: int) -> Int[Tensor, " n"]:
        """Positions of the keys that a splat holds."""
        return (self.key_row == row).any(1).nonzero().squeeze(1)


def splat_use(given: Activations, field: LayerField) -> SplatUse:
    """Route the keys, and attend with the softmax to see what they receive.

    Args:
        given: one key/value head with its query heads.
        field: the field of this head alone.
    """
    x = keys_into_frame(field.frame, given.k.float())
    phrase = route(x, field)
    section = field.parent.gather(1, phrase)
    document = field.parent.gather(1, section)
    key_row = torch.stack([document, section, phrase], dim=-1)[0]
    received, seen, seen_weight = _attention(given)
    splats = field.level.shape[1]
    keys, mass = torch.zeros(splats, dtype=torch.long), torch.zeros(splats)
    for level in (DOCUMENT, SECTION, PHRASE):
        row = key_row[:, level]
        keys.index_add_(0, row, torch.ones_like(row))
        mass.index_add_(0, row, received)
    return SplatUse(x[0], key_row, keys, mass, received, seen, seen_weight)


def _attention(
    given: Activations,
) -> tuple[Float[Tensor, " T"], Int[Tensor, "T K"], Float[Tensor, "T K"]]:
    tokens, heads = given.tokens, given.q.shape[0]
    received = torch.zeros(tokens)
    seen, seen_weight = [], []
    for queries in torch.arange(tokens).split(max(1, ROWS_AT_ONCE // (heads * tokens))):
        weight = exact.weights(given, queries).mean(0)
        received += weight.sum(0)
        weight[:, 0] = 0.0
        most = weight.topk(min(LOOKED_AT, tokens), dim=1)
        seen.append(most.indices)
        seen_weight.append(most.values)
    return received / tokens, torch.cat(seen), torch.cat(seen_weight)


def splat_errors(result: HSAResult, framed: FramedLayer, key_row: Int[Tensor, "T 3"],
                 splats: int) -> Float[Tensor, " N"]:  # fmt: skip
    """Error of the head's output that comes through the keys of each splat, relative to it.

    √(Σ_i ‖Σ_{j ∈ s} (Â_ij - A_ij) v_j‖² / Σ_i ‖o_i‖²): what HSA's weights of these keys moved
    the outputs by. Errors of a splat's children may cancel in it.

    Args:
        result, framed: of one query head.
    """
    given = framed.activations
    v = given.v[0].float()
    squares = torch.zeros(splats)
    total = torch.zeros(())
    for queries in result.queries.split(max(1, ROWS_AT_ONCE // (v.shape[1] * len(v)))):
        standard = exact.weights(given, queries)[0]
        apart = effective_weights(result, framed, queries=queries)[0] - standard
        total += (standard @ v).square().sum()
        moved = apart.unsqueeze(-1) * v
        for level in (DOCUMENT, SECTION, PHRASE):
            rows, at = key_row[:, level].unique(return_inverse=True)
            sums = torch.zeros(len(queries), len(rows), v.shape[1]).index_add_(1, at, moved)
            squares[rows] += sums.square().sum((0, 2))
    return (squares / total.clamp_min(1e-30)).sqrt()
