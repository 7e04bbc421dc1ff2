"""A layout: one place on the plane for every splat of a head, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from hsa.atlas.projection import principal_axes, standard_size
from hsa.field.splat_field import SplatField

Method = Literal["PCA", "UMAP"]


@dataclass(frozen=True)
class Layout:
    """Places in the order of the field's rows; the root-mean-square distance from 0 is one.

    Attributes:
        method: what really made it, which is not always what was asked for.
        note: a sentence for the reader where there is something to know.
    """

    splat_id: Int[Tensor, " N"]
    place: Float[Tensor, "N 2"]
    method: Method
    note: str = ""


def pca_layout(field: SplatField, note: str = "") -> Layout:
    """The principal plane of the splats' positions in the head's frame; works from one splat on."""
    position = field.position.float().cpu()
    place = standard_size(principal_axes(position).at(position))
    return Layout(field.splat_id.cpu(), place, "PCA", note)
