"""All splats of a query head in a prompt: whom there is to look at."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.attention.effective import cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer


@dataclass(frozen=True)
class Roster:
    """The N splats that live in a head; rows stand as in its field.

    Attributes:
        keys: of this prompt that lie in each; `far_mass` is what standard attention gives those
            while they are far, as a share of all attention of the head.
    """

    splat_id: Int[Tensor, " N"]
    level: Int[Tensor, " N"]
    keys: Int[Tensor, " N"]
    far_mass: Float[Tensor, " N"]

    def heaviest(self, level: int) -> int:
        """Id of the splat of one level with most mass; of two alike, that of the lower row."""
        mass = self.far_mass.masked_fill(self.level != level, -1.0)
        mass = torch.where((self.level == level) & (self.keys > 0), mass + 1e-12 * self.keys, mass)
        return int(self.splat_id[int(mass.argmax())])


def roster(result: HSAResult, layer: FramedLayer, head: int) -> Roster:
    """Every splat of one head, with its keys and mass."""
    group = head // layer.y.shape[1]
    received = torch.zeros(layer.k.shape[1], dtype=torch.float64)
    for cut in cut_rows(result, layer, head):
        exact = cut.logits.masked_fill(~cut.visible, -torch.inf).softmax(1)
        received += exact.sum(0) * cut.far
    received /= result.queries.numel()
    lives = layer.field.splat_id[group].cpu() >= 0
    keys = torch.zeros(lives.numel(), dtype=torch.long)
    mass = torch.zeros(lives.numel(), dtype=torch.float64)
    row, key_node = layer.tree.row[group].cpu(), layer.tree.key_node[group].cpu()
    for nodes in key_node.unbind(1):
        keys.index_add_(0, row[nodes], torch.ones_like(nodes))
        mass.index_add_(0, row[nodes], received)
    return Roster(
        layer.field.splat_id[group].cpu()[lives], layer.field.level[group].cpu()[lives],
        keys[lives], mass[lives],
    )  # fmt: skip
