"""The query metric: keys where distance means what attention thinks it means (design §2)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def frame_of(second_moment: Float[Tensor, "D D"], ridge: float = 1e-3) -> Float[Tensor, "D D"]:
    """M^{1/2} of the regularised query second moment M = E[(scaling·q)(scaling·q)ᵀ].

    The ridge is a share of the mean eigenvalue, so that no direction that warm-up queries
    happened not to look along collapses to zero length.
    """
    moment = second_moment.double()
    moment = 0.5 * (moment + moment.mT)
    identity = torch.eye(moment.shape[-1], dtype=moment.dtype, device=moment.device)
    mean_eigenvalue = moment.diagonal().mean().clamp_min(1e-12)
    values, vectors = torch.linalg.eigh(moment + ridge * mean_eigenvalue * identity)
    root = (vectors * values.clamp_min(1e-12 * float(mean_eigenvalue)).sqrt()) @ vectors.mT
    return (0.5 * (root + root.mT)).float()


def into_frame(
    frame: Float[Tensor, "... D D"],
    q: Float[Tensor, "... R T D"],
    k: Float[Tensor, "... T D"],
    scaling: float,
) -> tuple[Float[Tensor, "... T D"], Float[Tensor, "... R T D"]]:
    """Keys x = frame·k and queries y = frame⁻¹·(scaling·q); y·x = scaling·q·k.

    Computed in float64 and returned in float32, for the inverse amplifies rounding by the
    frame's condition number.
    """
    inverse = torch.linalg.inv(frame.double())
    y = (scaling * q.double()) @ inverse.mT.unsqueeze(-3)
    return keys_into_frame(frame, k), y.float()


def keys_into_frame(
    frame: Float[Tensor, "... D D"], k: Float[Tensor, "... T D"]
) -> Float[Tensor, "... T D"]:
    """Keys x = frame·k alone, rounded once."""
    return (k.double() @ frame.double().mT).float()


def queries_into_frame(
    frame: Float[Tensor, "... D D"], q: Float[Tensor, "... R T D"], scaling: float
) -> Float[Tensor, "... R T D"]:
    """Queries y = frame⁻¹·(scaling·q) alone, by float32 products: three times as fast."""
    inverse = (scaling * torch.linalg.inv(frame.double())).float()
    rows = q.flatten(-3, -2).float()
    return (rows @ inverse.mT).view(q.shape)
