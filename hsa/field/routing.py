"""Which Phrase a key belongs to (design §3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.field.frame import keys_into_frame
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE


@dataclass(frozen=True)
class Densities:
    """Log amplitude + log N(x; μ, diag σ²) of N Gaussians, less the constant that all share.

    Expanded into matrix products around the Gaussians' mean position, so that the squares do
    not cancel.
    """

    centre: Float[Tensor, "G 1 D"]
    linear: Float[Tensor, "G N 2D"]
    constant: Float[Tensor, "G 1 N"]

    def at(self, x: Float[Tensor, "G T D"]) -> Float[Tensor, "G T N"]:
        """Of every Gaussian at every x."""
        x = x - self.centre
        return torch.baddbmm(self.constant, torch.cat([x, x * x], dim=-1), self.linear.mT)


def densities(
    position: Float[Tensor, "G N D"],
    variance: Float[Tensor, "G N D"],
    log_amplitude: Float[Tensor, "G N"],
) -> Densities:
    """Prepare the densities of Gaussians; those of amplitude 0 are -∞ everywhere."""
    centre = position.mean(dim=1, keepdim=True)
    position = position - centre
    precision = 1.0 / variance
    constant = log_amplitude - 0.5 * (
        variance.log().sum(-1) + (position * position * precision).sum(-1)
    )
    linear = torch.cat([position * precision, -0.5 * precision], dim=-1)
    return Densities(centre, linear, constant.unsqueeze(1))


@dataclass(frozen=True)
class Router:
    """The Phrases of a layer's field as densities, and the field's row of each."""

    phrases: Densities
    row: Int[Tensor, "G P"]

    def __call__(self, x: Float[Tensor, "G T D"], chunk: int = 512) -> Int[Tensor, "G T"]:
        """Row of the Phrase with the highest log density plus log amplitude, for every key."""
        best = [self.phrases.at(part).argmax(-1) for part in x.split(chunk, dim=1)]
        return self.row.gather(1, torch.cat(best, dim=1))


def router(field: LayerField, floor: float = 1.0) -> Router:
    """Routing by a layer's field.

    Args:
        floor: f of design §3; variances are σ² + f·(mean within-splat variance).
    """
    phrase = field.level == PHRASE
    row = (~phrase).to(torch.int8).argsort(dim=1, stable=True)[:, : int(phrase.sum(1).max())]
    log_amplitude = field.log_amplitude.masked_fill(~phrase, -torch.inf).gather(1, row)
    at = row.unsqueeze(-1).expand(-1, -1, field.position.shape[-1])
    spread = field.log_spread.gather(1, at).exp()
    amplitude = log_amplitude.exp().unsqueeze(-1)
    mean_variance = (amplitude * spread).sum(1, keepdim=True) / amplitude.sum(1, keepdim=True)
    variance = spread + floor * mean_variance
    return Router(densities(field.position.gather(1, at), variance, log_amplitude), row)


def route(
    x: Float[Tensor, "G T D"], field: LayerField, floor: float = 1.0, chunk: int = 512
) -> Int[Tensor, "G T"]:
    """Row of every key's Phrase, as `router` gives it."""
    return router(field, floor)(x, chunk)


def key_paths(field: LayerField, k: Float[Tensor, "G T D"]) -> Int[Tensor, "G T 3"]:
    """Rows of the Document, Section and Phrase that each key lies in, from the model's own keys."""
    phrase = route(keys_into_frame(field.frame, k), field)
    section = field.parent.gather(1, phrase)
    return torch.stack([field.parent.gather(1, section), section, phrase], dim=-1)
