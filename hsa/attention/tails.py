"""What real clouds of keys are short of Gaussians: their tails are bounded (design §5).

u_s(y) = Σ y²s² says how far a splat's keys lie apart for a query. The closed forms of a Gaussian
are right while it is small. Where it is large, exp(½u) promises keys that no prompt holds: in a
text of few sentences repeated, one splat of 775 keys stood e³⁹ above what its keys weighed.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from hsa.field.layer_field import LayerField

SPREAD_TAIL = 0.01
"""c of u / (1 + c·u), the spread that a mass is given (`bounded`)."""

TILT_TAIL = 0.1
"""c of θ / (1 + c·u), the tilt that values are given."""


def bounded(spread: Tensor) -> Tensor:
    """The spread that a mass is given: log m = log n + y·x̄ + ½ τ of it."""
    return spread / (1 + SPREAD_TAIL * spread)


def saturated(theta: Tensor, spread: Tensor) -> Tensor:
    """θ_s(y) = θ / (1 + c·u)."""
    return theta / (1 + TILT_TAIL * spread)


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
