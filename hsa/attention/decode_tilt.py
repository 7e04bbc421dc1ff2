"""The tilts of a text that is read on token by token: Cov(v, x) of the splats that have one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.block_opening import rows_at
from hsa.attention.block_sums import SplatTable
from hsa.attention.own_opening import OwnOpening
from hsa.field.frame import keys_into_frame
from hsa.field.layer_field import LayerField

AT_ONCE = 256
"""Keys whose V × D products stand in memory at once."""


@dataclass(frozen=True)
class CrossSums:
    """Σ v dᵀ over the far keys of some splats, d = x - μ; a splat that is among them stays.

    Attributes:
        place: of every splat in `sums`; -1 of those without.
    """

    place: Int[Tensor, "G N"]
    sums: Float[Tensor, "G H V D"]

    def beside(self, splats: Bool[Tensor, "G N"]) -> CrossSums:
        """A copy with room for more splats, whose sums are zero as yet."""
        new = splats & (self.place < 0)
        known = (self.place >= 0).sum(1, keepdim=True)
        place = (known + new.cumsum(1) - 1).where(new, self.place)
        groups, had, *size = self.sums.shape
        sums = self.sums.new_zeros(groups, int(place.max()) + 1, *size)
        sums[:, :had] = self.sums
        return CrossSums(place, sums)


def no_cross_sums(field: LayerField, value_dim: int) -> CrossSums:
    """Sums of no splats."""
    groups, splats, dim = field.position.shape
    return CrossSums(
        torch.full((groups, splats), -1, device=field.position.device),
        field.position.new_zeros(groups, 0, value_dim, dim),
    )


def grown(
    field: LayerField,
    cross: CrossSums,
    holds: Bool[Tensor, "G N"],
    phrase: Int[Tensor, "G P"],
    known: int,
    k: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
) -> CrossSums:
    """The sums of a longer text, to which only new keys are added, and those of new splats.

    Args:
        holds: splats that have sums from now on.
        phrase: row of the Phrase of each of the P far keys; N for those of none.
        known: far keys whose sums are there.
    """
    longer = cross.beside(holds)
    late = torch.arange(phrase.shape[1], device=k.device) >= known
    for group, place in enumerate(torch.nn.functional.pad(longer.place, (0, 1), value=-1)):
        fresh = torch.nn.functional.pad(cross.place[group] < 0, (0, 1))
        section = torch.nn.functional.pad(field.parent[group], (0, 1), value=place.numel() - 1)
        for row in (phrase[group], section[phrase[group]]):
            chosen = ((place[row] >= 0) & (late | fresh[row])).nonzero().flatten()
            for some in chosen.split(AT_ONCE):
                x = keys_into_frame(field.frame[group : group + 1], k[group : group + 1, some])[0]
                d = x - field.position[group, row[some]]
                product = v[group, some].float().unsqueeze(-1) * d.unsqueeze(1)
                longer.sums[group].index_add_(0, place[row[some]], product)
    return longer


@dataclass(frozen=True)
class Tilts:
    """Cov(v, x) of H splats at the current block, padded.

    C = sums / n - v̄ (x̄ - μ)ᵀ; `sums` are those of `CrossSums`.
    """

    splat: Int[Tensor, "G H"]
    there: Bool[Tensor, "G H"]
    sums: Float[Tensor, "G H V D"]
    offset: Float[Tensor, "G H D"]
    value: Float[Tensor, "G H V"]
    count: Float[Tensor, "G H"]

    def lean(
        self,
        opening: OwnOpening,
        mass: Float[Tensor, "G R n N"],
        y: Float[Tensor, "G R n D"],
    ) -> Float[Tensor, "G R n V"]:
        """Σ_s m_s θ_s(y) C_s y over the closed splats, `mass` 0 for all others."""
        at = self.splat[:, None, None].expand(*mass.shape[:3], -1)
        slope = (mass * opening.lean[0]).gather(-1, at).masked_fill(~self.there[:, None, None], 0.0)
        size = self.sums.shape[-2:]
        moved = (slope / self.count[:, None, None]).flatten(1, 2) @ self.sums.flatten(2)
        moved = (moved.unflatten(-1, size) @ y.flatten(1, 2).unsqueeze(-1)).squeeze(-1)
        away = (y @ self.offset[:, None].mT) * slope
        return moved.view(*mass.shape[:3], -1) - away @ self.value[:, None]


def tilts(field: LayerField, table: SplatTable, cross: CrossSums) -> Tilts:
    """The tilts of a block, by its table."""
    groups, splats = cross.place.shape
    most = cross.sums.shape[1]
    splat = cross.place.new_zeros(groups, most + 1)
    number = torch.arange(splats, device=splat.device).expand(groups, -1)
    place = cross.place.where(cross.place >= 0, most)
    splat = splat.scatter(1, place, number)[:, :most]
    known = (cross.place >= 0).sum(1, keepdim=True)
    there = torch.arange(most, device=splat.device) < known
    offset, value = (
        rows_at(t, splat.unsqueeze(0))[0] for t in (table.mean[0] - field.position, table.value[0])
    )
    count = table.count[0].gather(1, splat).clamp_min(1.0)
    return Tilts(splat, there, cross.sums, offset, value, count)
