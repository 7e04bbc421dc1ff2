"""A splat's parent, children and nearest siblings, with what each holds of the prompt."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.views import FramedLayer
from hsa.field.by_id import node_of_row
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import DOCUMENT, LEVELS

NEIGHBOURS, EXAMPLES = 6, 4


@dataclass(frozen=True)
class Relative:
    """A splat of the same head, as seen from another.

    Attributes:
        distance: between the two positions in the frame: the RMS difference of the logits that
            keys there would receive.
        prior: its share of keys over the texts of the fit, of its level.
        keys: of this prompt that lie in it; `standard`, `hsa` their share of all attention.
        examples: the tokens among them that receive most from standard attention.
    """

    splat_id: int
    level: str
    distance: float
    prior: float
    keys: int
    standard: float
    hsa: float
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """Who stands above, below and beside a splat; children with the most attention first."""

    parent: Relative | None
    children: tuple[Relative, ...]
    neighbours: tuple[Relative, ...]


@dataclass(frozen=True)
class Received:
    """Shares of all attention of a head that each key receives, beside the tokens."""

    standard: Float[Tensor, " T"]
    hsa: Float[Tensor, " T"]
    strings: tuple[str, ...]


def family(layer: FramedLayer, group: int, row: int, received: Received) -> Family:
    """The relatives of one row of a key/value head."""
    field = layer.field
    level, parent = field.level[group].cpu(), field.parent[group].cpu()
    place = field.position[group].cpu().double()
    away = (place - place[row]).norm(dim=1)

    def relatives(rows: Int[Tensor, " N"]) -> list[Relative]:
        return [_relative(layer, group, at, float(away[at]), received) for at in rows.tolist()]

    below = (parent == row) & (level > DOCUMENT)
    beside = (level == level[row]) & (parent == parent[row])
    beside[row] = False
    siblings = beside.nonzero().flatten()
    nearest = siblings[away[siblings].argsort(stable=True)[:NEIGHBOURS]]
    children = relatives(below.nonzero().flatten())
    children.sort(key=lambda child: (-child.standard, -child.keys, child.splat_id))
    return Family(
        parent=relatives(parent[row : row + 1])[0] if int(parent[row]) >= 0 else None,
        children=tuple(children),
        neighbours=tuple(relatives(nearest)),
    )


def keys_of(layer: FramedLayer, group: int, row: int) -> Bool[Tensor, " T"]:
    """Keys of the prompt that lie in this row of the field, near ones included."""
    node = node_of_row(layer.tree, group, row)
    key_node = layer.tree.key_node[group]
    if node is None:
        return torch.zeros(key_node.shape[0], dtype=torch.bool)
    return (key_node[:, int(layer.field.level[group, row])] == node).cpu()


def _relative(
    layer: FramedLayer, group: int, row: int, distance: float, received: Received
) -> Relative:
    field: LayerField = layer.field
    own = keys_of(layer, group, row).nonzero().flatten()
    most = own[received.standard[own].argsort(descending=True, stable=True)[:EXAMPLES]]
    return Relative(
        splat_id=int(field.splat_id[group, row]),
        level=LEVELS[int(field.level[group, row])],
        distance=distance,
        prior=float(field.log_amplitude[group, row].exp()),
        keys=own.numel(),
        standard=float(received.standard[own].sum()),
        hsa=float(received.hsa[own].sum()),
        examples=tuple(received.strings[at] for at in most.tolist()),
    )
