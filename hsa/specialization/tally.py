"""Sums over the keys of a corpus that association is computed from; they add passage by passage."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

HALVES = 2
BLOCKS = 8
"""Blocks of passages in each half, between which an interval measures what texts differ by."""


@dataclass(frozen=True)
class Tally:
    """Sums of one kind of function for a layer: A heads, N splats, F functions, Z strata.

    Keys carry a weight w (one each, or the attention received) and per function a label in
    [0, 1]. Every splat, of whatever level, owns the keys of its Phrases.

    Attributes:
        carried: Σ w·label over a splat's keys, by half and block.
        weight: Σ w over a splat's keys, by stratum, half and block.
        weight_square, weight_cube: the same of w² and w³, by half alone.
        support: keys of a splat whose label is not 0; `keys` how many it has.
        label: Σ label^p over all keys of a stratum, p = 1, 2, 3.
        base: Σ w·label over all keys of a stratum; `total` Σ w, `count` how many they are.
    """

    carried: Float[Tensor, "A 2 B N F"]
    weight: Float[Tensor, "A 2 B N Z"]
    weight_square: Float[Tensor, "A 2 N Z"]
    weight_cube: Float[Tensor, "A 2 N Z"]
    support: Float[Tensor, "A 2 N F"]
    keys: Float[Tensor, "A 2 N"]
    label: Float[Tensor, "3 A 2 Z F"]
    base: Float[Tensor, "A 2 Z F"]
    total: Float[Tensor, "A 2 Z"]
    count: Float[Tensor, "A 2 Z"]

    @staticmethod
    def empty(heads: int, splats: int, functions: int, strata: int) -> Tally:
        """Sums over no keys."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape)

        return Tally(
            carried=zeros(heads, HALVES, BLOCKS, splats, functions),
            weight=zeros(heads, HALVES, BLOCKS, splats, strata),
            weight_square=zeros(heads, HALVES, splats, strata),
            weight_cube=zeros(heads, HALVES, splats, strata),
            support=zeros(heads, HALVES, splats, functions),
            keys=zeros(heads, HALVES, splats),
            label=zeros(3, heads, HALVES, strata, functions),
            base=zeros(heads, HALVES, strata, functions),
            total=zeros(heads, HALVES, strata),
            count=zeros(heads, HALVES, strata),
        )

    def add(
        self,
        half: int,
        block: int,
        owner: Int[Tensor, "A K 3"],
        stratum: Int[Tensor, "A K"],
        weight: Float[Tensor, "A K"],
        label: Float[Tensor, "A K F"],
    ) -> None:
        """Add the keys of one passage, in place.

        Args:
            owner: Document, Section and Phrase row of each key.
        """
        strata = self.count.shape[-1]
        for head in range(owner.shape[0]):
            w, f, z = weight[head], label[head], stratum[head]
            weighed = w.unsqueeze(1) * f
            self.count[head, half].index_add_(0, z, torch.ones_like(w))
            self.total[head, half].index_add_(0, z, w)
            self.base[head, half].index_add_(0, z, weighed)
            power = torch.ones_like(f)
            for order in range(3):
                power = power * f
                self.label[order, head, half].index_add_(0, z, power)
            present = (f > 0).float()
            for level in range(3):
                row = owner[head, :, level]
                cell = row * strata + z
                self.carried[head, half, block].index_add_(0, row, weighed)
                self.weight[head, half, block].view(-1).index_add_(0, cell, w)
                self.weight_square[head, half].view(-1).index_add_(0, cell, w * w)
                self.weight_cube[head, half].view(-1).index_add_(0, cell, w * w * w)
                self.support[head, half].index_add_(0, row, present)
                self.keys[head, half].index_add_(0, row, torch.ones_like(w))
