"""Which Phrase a key belongs to (design §3)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE


def log_density(
    x: Float[Tensor, "G T D"],
    position: Float[Tensor, "G N D"],
    variance: Float[Tensor, "G N D"],
    log_amplitude: Float[Tensor, "G N"],
) -> Float[Tensor, "G T N"]:
    """Log amplitude + log N(x; μ, diag σ²), less the constant that all splats share.

    Expanded into matrix products around the field's mean position, so that the squares do not
    cancel.
    """
    centre = position.mean(dim=1, keepdim=True)
    x, position = x - centre, position - centre
    precision = 1.0 / variance
    constant = log_amplitude - 0.5 * (
        variance.log().sum(-1) + (position * position * precision).sum(-1)
    )
    wide = torch.cat([position * precision, -0.5 * precision], dim=-1)
    return torch.baddbmm(constant.unsqueeze(1), torch.cat([x, x * x], dim=-1), wide.mT)


def route(
    x: Float[Tensor, "G T D"], field: LayerField, floor: float = 1.0, chunk: int = 512
) -> Int[Tensor, "G T"]:
    """Row of the Phrase with the highest log density plus log amplitude, for every key.

    Args:
        floor: f of design §3; variances are σ² + f·(mean within-splat variance).
    """
    phrases = field.level == PHRASE
    spread = field.log_spread.exp()
    amplitude = field.log_amplitude.exp().where(phrases, torch.zeros(()).to(x))
    mean_variance = (amplitude.unsqueeze(-1) * spread).sum(1, keepdim=True) / amplitude.sum(
        1, keepdim=True
    ).unsqueeze(-1)
    variance = spread + floor * mean_variance
    log_amplitude = field.log_amplitude.masked_fill(~phrases, -torch.inf)
    parts = [
        log_density(part, field.position, variance, log_amplitude).argmax(-1)
        for part in x.split(chunk, dim=1)
    ]
    # A key that is not finite lies nowhere: any Phrase will do, for no index may leave the field.
    first = phrases.long().argmax(1, keepdim=True)
    last = first + phrases.sum(1, keepdim=True) - 1
    return torch.cat(parts, dim=1).clamp(first, last)
