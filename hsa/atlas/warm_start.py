"""Where a layout begins when another one is known: the map should stay still."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.atlas.layout import Layout

NEIGHBOURS = 5


def shared_rows(
    previous: Int[Tensor, " M"], splat_id: Int[Tensor, " N"]
) -> tuple[Int[Tensor, " N"], Bool[Tensor, " N"]]:
    """Of every splat its row in the previous layout, and whether it has one."""
    order = previous.argsort()
    at = torch.searchsorted(previous[order], splat_id).clamp_max(len(previous) - 1)
    row = order[at]
    return row, previous[row] == splat_id


def starting_places(
    previous: Layout, splat_id: Int[Tensor, " N"], position: Float[Tensor, "N D"]
) -> Float[Tensor, "N 2"]:
    """The old place of every splat that was there; a newborn stands at its neighbours' mean.

    Neighbours are the nearest, in the frame, of those that were there; where none was, newborns
    stand in the middle.
    """
    row, known = shared_rows(previous.splat_id, splat_id)
    place = previous.place[row].clone()
    newborn = (~known).nonzero().squeeze(1)
    if not len(newborn):
        return place
    if not bool(known.any()):
        return torch.zeros_like(place)
    old = known.nonzero().squeeze(1)
    near = torch.cdist(position[newborn], position[old]).topk(
        min(NEIGHBOURS, len(old)), largest=False
    )
    place[newborn] = place[old][near.indices].mean(1)
    return place
