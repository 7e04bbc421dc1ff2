"""What HSA did: the cut of every query, and the output that it gave."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.near import NearKeys
from hsa.field.tree import PromptTree


@dataclass(frozen=True)
class BlockCut:
    """The cuts of B = R·Q queries (R heads of a group, head by head) with the same far keys.

    `log_mass` is log m_s(y), `tilt` is θ_s(y) as used (zero where a row's tilt was switched
    off), `log_z` the log of the row's total mass. `read` marks tokens read (near or opened).
    """

    queries: Int[Tensor, " Q"]
    far: Bool[Tensor, " T"]
    count: Float[Tensor, "G C"]
    mean: Float[Tensor, "G C D"]
    closed: Bool[Tensor, "G R Q C"]
    opened: Bool[Tensor, "G R Q C"]
    log_mass: Float[Tensor, "G R Q C"]
    tilt: Float[Tensor, "G R Q C"]
    log_z: Float[Tensor, "G R Q"]
    reads: Int[Tensor, "G R Q"]
    near_count: Int[Tensor, " Q"]
    raised: Bool[Tensor, "G R Q"]
    exact: Bool[Tensor, "G R Q"]


@dataclass(frozen=True)
class HSAResult:
    """HSA attention of one layer (or some of its heads) over a text.

    `queries` are the positions computed; `output` stands in their order.
    """

    layer: int
    near: NearKeys
    causal: bool
    tree: PromptTree
    queries: Int[Tensor, " Q"]
    output: Float[Tensor, "H Q V"]
    blocks: tuple[BlockCut, ...]

    def head_reads(self) -> Float[Tensor, " H"]:
        """Mean reads per query of each head: splats evaluated and far tokens read."""
        spent = torch.cat([block.reads.flatten(0, 1) for block in self.blocks], dim=1)
        return spent.float().mean(1)

    @property
    def mean_reads(self) -> float:
        """Mean reads per query over all heads."""
        return float(self.head_reads().mean())
