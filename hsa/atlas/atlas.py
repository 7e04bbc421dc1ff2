"""The atlas: splats of one head or of several, each with a place and what is known of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.atlas.alignment import Similarity, similarity, unmoved
from hsa.atlas.attributes import Attribute, joined
from hsa.atlas.layout import Layout
from hsa.field.splat_field import SplatField

APART = 5.0, -3.6
"""From one head's middle to the next, in root-mean-square distances of a layout; maps are wide."""


@dataclass(frozen=True)
class AtlasHead:
    """One key/value head to be shown."""

    layer: int
    group: int
    field: SplatField
    layout: Layout
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True)
class Atlas:
    """Rows are splats, head after head, in the order of each head's field.

    Attributes:
        heads: (layer, key/value head) of each head; `head` is a row's number among them.
        parent: the atlas's row of the parent, -1 for Documents.
        move: what brought each head's own layout to where it stands here.
    """

    heads: tuple[tuple[int, int], ...]
    head: Int[Tensor, " N"]
    splat_id: Int[Tensor, " N"]
    level: Int[Tensor, " N"]
    parent: Int[Tensor, " N"]
    place: Float[Tensor, "N 2"]
    attributes: tuple[Attribute, ...]
    move: tuple[Similarity, ...]

    @property
    def splats(self) -> int:
        return len(self.splat_id)

    def attribute(self, name: str) -> Attribute:
        """The attribute of this name."""
        return next(attribute for attribute in self.attributes if attribute.name == name)

    def row_of(self, layer: int, group: int, splat_id: int) -> int | None:
        """The row of a splat; None if it is not here."""
        if (layer, group) not in self.heads:
            return None
        own = self.head == self.heads.index((layer, group))
        found = (own & (self.splat_id == splat_id)).nonzero()
        return int(found[0]) if len(found) else None

    def rows(self, layer: int, group: int) -> slice:
        """The rows of one of its heads."""
        number = self.heads.index((layer, group))
        first = int((self.head < number).sum())
        return slice(first, first + int((self.head == number).sum()))


def gather(heads: Sequence[AtlasHead], moves: Sequence[Similarity] | None = None) -> Atlas:
    """All heads on one plane.

    Args:
        moves: as `side_by_side` or `laid_over` give them; unmoved if left out.
    """
    moves = [unmoved()] * len(heads) if moves is None else list(moves)
    sizes = [head.field.splats for head in heads]
    first = [sum(sizes[:number]) for number in range(len(sizes))]
    parents = [head.field.parent.cpu() for head in heads]
    return Atlas(
        heads=tuple((head.layer, head.group) for head in heads),
        head=torch.repeat_interleave(torch.arange(len(heads)), torch.tensor(sizes)),
        splat_id=torch.cat([head.field.splat_id.cpu() for head in heads]),
        level=torch.cat([head.field.level.cpu() for head in heads]),
        parent=torch.cat(
            [torch.where(p >= 0, p + at, -1) for p, at in zip(parents, first, strict=True)]
        ),
        place=torch.cat([move(head.layout.place) for head, move in zip(heads, moves, strict=True)]),
        attributes=joined([head.attributes for head in heads], sizes),
        move=tuple(moves),
    )


def laid_over(keys: Sequence[Float[Tensor, "T 2"]]) -> tuple[Similarity, ...]:
    """Every head turned so that the same tokens lie where they lie in the first, as near as can be.

    Splats of two heads have nothing in common but what they hold; a prompt's keys, in the same
    order in each, are what a turn and a shift can be fitted to. Sizes stay.
    """
    first, *others = keys
    return (unmoved(), *(similarity(other, first, scaled=False) for other in others))


def side_by_side(moves: Sequence[Similarity]) -> tuple[Similarity, ...]:
    """Heads turned as they were, in rows of a rectangle a little wider than it is tall."""
    columns = math.ceil(math.sqrt(0.85 * len(moves)))
    cells = [(at % columns, at // columns) for at in range(len(moves))]
    apart = torch.tensor(APART, dtype=torch.float64)
    return tuple(
        replace(move, shift=apart * torch.tensor(cell, dtype=torch.float64))
        for move, cell in zip(moves, cells, strict=True)
    )
