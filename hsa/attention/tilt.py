"""The tilt: how a closed splat's values lean with the query (design §5)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from hsa.field.layer_field import LayerField

SATURATION = 0.1
"""c of design §5: the tilt saturates as θ / (1 + c·u)."""


def saturated(theta: Tensor, spread: Tensor) -> Tensor:
    """θ_s(y) = θ / (1 + c·u_s(y))."""
    return theta / (1 + SATURATION * spread)


def lean(
    field: LayerField,
    count: Float[Tensor, "B G N"],
    spread: Float[Tensor, "B G R Q N"],
    least: int,
) -> Float[Tensor, "B G R Q N"]:
    """θ_s(y) of every splat for queries of spreads u_s(y); 0 of those with fewer keys."""
    theta = field.per_splat(field.tilt).unsqueeze(2)
    few = (count < least)[:, :, None, None]
    return saturated(theta, spread).masked_fill(few, 0.0)
