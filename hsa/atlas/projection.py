"""Principal components: the plane in which a head's splats differ most."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NOTHING = 1e-6
"""Of the largest singular value: what is smaller is rounding, no direction."""


@dataclass(frozen=True)
class Axes:
    """A plane through the mean; a direction along which nothing differs is zero."""

    centre: Float[Tensor, " D"]
    direction: Float[Tensor, "2 D"]

    def at(self, points: Float[Tensor, "N D"]) -> Float[Tensor, "N 2"]:
        """Where points fall on the plane."""
        return ((points.double() - self.centre.double()) @ self.direction.double().mT).float()


def principal_axes(points: Float[Tensor, "N D"]) -> Axes:
    """The two first principal components of N ≥ 1 points.

    The sign of an axis is free; here the coordinate that it leans on most is positive, so that
    the same points always give the same map.
    """
    exact = points.double()
    centre = exact.mean(0)
    _, size, rows = torch.linalg.svd(exact - centre, full_matrices=False)
    direction = torch.zeros(2, points.shape[1], dtype=torch.float64)
    kept = min(2, rows.shape[0])
    real = size[:kept] > NOTHING * size[0].clamp_min(1e-30)
    direction[:kept] = torch.where(real.unsqueeze(1), rows[:kept], 0.0)
    leaning = direction.gather(1, direction.abs().argmax(1, keepdim=True))
    direction *= torch.where(leaning < 0, -1.0, 1.0)
    return Axes(centre.float(), direction.float())


def standard_size(places: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
    """Centred, with a root-mean-square distance of one; points that all coincide stay so."""
    centred = places - places.mean(0)
    spread = centred.square().sum(1).mean().sqrt()
    return centred / spread if float(spread) > 0 else centred
