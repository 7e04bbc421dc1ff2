"""Moments of every splat at every block of a text, by sums carried from block to block."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.field.layer_field import LayerField


@dataclass(frozen=True)
class RoutedKeys:
    """Keys in the frame, and the field's row of each key's Section and Phrase.

    Row N stands for keys that are in no splat: sinks and padding.
    """

    x: Float[Tensor, "G T D"]
    section: Int[Tensor, "G T"]
    phrase: Int[Tensor, "G T"]

    def part(self, keys: slice) -> RoutedKeys:
        return RoutedKeys(self.x[:, keys], self.section[:, keys], self.phrase[:, keys])

    def flip(self) -> RoutedKeys:
        """The last key first."""
        return RoutedKeys(self.x.flip(1), self.section.flip(1), self.phrase.flip(1))


def no_block_sums(field: LayerField, value_dim: int) -> Float[Tensor, "G N F"]:
    """Sums of no keys: n, Σd, Σd², Σv, Σ|v|² of each splat, d = x - μ (design §4)."""
    groups, splats, dim = field.position.shape
    return field.position.new_zeros(groups, splats, 2 * dim + value_dim + 2)


def carry_sums(
    field: LayerField,
    known: Float[Tensor, "G N F"],
    keys: RoutedKeys,
    v: Float[Tensor, "G T V"],
    blocks: int,
    size: int,
) -> Float[Tensor, "B G N F"]:
    """`known`, carried over blocks that add `size` keys each to their Sections and Phrases.

    Where there are fewer keys than blocks hold, the first blocks add none.
    """
    groups, tokens, dim = keys.x.shape
    splats = field.position.shape[1]
    centre = torch.nn.functional.pad(field.position, (0, 0, 0, 1))
    square = (v * v).sum(-1, keepdim=True)
    one = torch.ones_like(square)
    block = blocks - 1 - torch.arange(tokens, device=v.device).flip(0) // size
    group = torch.arange(groups, device=v.device).unsqueeze(1)
    place = (block * groups + group) * (splats + 1)
    sums = v.new_zeros(blocks, groups, splats + 1, known.shape[-1])
    sums[0, :, :splats] = known
    for row in (keys.section, keys.phrase):
        d = keys.x - centre.gather(1, row.unsqueeze(-1).expand(-1, -1, dim))
        features = torch.cat([one, d, d * d, v, square], dim=-1)
        sums.flatten(0, 2).index_add_(0, (place + row).flatten(), features.flatten(0, 1))
    return sums.cumsum(0)[:, :, :splats]


@dataclass(frozen=True)
class SplatTable:
    """What each splat of a field holds at each of B blocks: n, x̄, s², v̄, √tr Var(v).

    `before` counts those of its keys that come before the block; all, where it is None.
    """

    count: Float[Tensor, "B G N"]
    mean: Float[Tensor, "B G N D"]
    variance: Float[Tensor, "B G N D"]
    value: Float[Tensor, "B G N V"]
    value_spread: Float[Tensor, "B G N"]
    before: Float[Tensor, "B G N"] | None = None

    def group(self, index: int) -> SplatTable:
        """One key/value head alone."""
        one = slice(index, index + 1)
        return SplatTable(
            self.count[:, one], self.mean[:, one], self.variance[:, one], self.value[:, one],
            self.value_spread[:, one], None if self.before is None else self.before[:, one],
        )  # fmt: skip


def splat_table(
    field: LayerField,
    sums: Float[Tensor, "B G N F"],
    before: Float[Tensor, "B G N"] | None = None,
) -> SplatTable:
    """Means and variances from the sums; an empty splat has zeros and n = 0."""
    dim = field.position.shape[-1]
    count, first, second, value, square = sums.split(
        [1, dim, dim, sums.shape[-1] - 2 * dim - 2, 1], dim=-1
    )
    inverse = 1.0 / count.clamp_min(1.0)
    several = (count > 1).to(sums.dtype)
    offset = first * inverse
    value = value * inverse
    variance = torch.addcmul(second * inverse, offset, offset, value=-1).clamp_min(0) * several
    spread = (square * inverse - (value * value).sum(-1, keepdim=True)).clamp_min(0) * several
    return SplatTable(
        count=count.squeeze(-1),
        mean=field.position + offset,
        variance=variance,
        value=value,
        value_spread=spread.squeeze(-1).sqrt(),
        before=before,
    )


def routed(field: LayerField, x: Float[Tensor, "G T D"], phrase: Int[Tensor, "G T"]) -> RoutedKeys:
    """Keys with their Phrases known; row N where `phrase` is -1."""
    splats = field.position.shape[1]
    nowhere = phrase < 0
    section = field.parent.gather(1, phrase.clamp_min(0))
    return RoutedKeys(x, section.masked_fill(nowhere, splats), phrase.masked_fill(nowhere, splats))
