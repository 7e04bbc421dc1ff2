"""A prompt's keys and queries among the splats, on whatever plane these are laid out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.field.splat_field import SplatField

BETWEEN = 3
"""Phrases between which a key stands."""


@dataclass(frozen=True)
class Between:
    """Rows of the splats nearest to each of T keys, and how near, as shares that sum to one."""

    row: Int[Tensor, "T K"]
    share: Float[Tensor, "T K"]

    def at(self, place: Float[Tensor, "N 2"]) -> Float[Tensor, "T 2"]:
        """The shares' mean of the places: where each key stands."""
        return (place[self.row] * self.share.unsqueeze(-1)).sum(1)


def key_marks(x: Float[Tensor, "T D"], field: SplatField) -> Between:
    """Keys between their nearest Phrases, by the inverse of the squared distance in the frame."""
    level = field.level.cpu()
    phrase = (level == level.max()).nonzero().squeeze(1)
    distance = torch.cdist(x.float().cpu(), field.position.float().cpu()[phrase])
    near = distance.topk(min(BETWEEN, len(phrase)), largest=False)
    share = near.values.square().clamp_min(1e-12).reciprocal()
    return Between(phrase[near.indices], share / share.sum(1, keepdim=True))


def query_marks(
    key_place: Float[Tensor, "T 2"], seen: Int[Tensor, "Q K"], weight: Float[Tensor, "Q K"]
) -> Float[Tensor, "Q 2"]:
    """Queries where they look: the mean place of the keys that they attend to most, by weight.

    A query that looks at none of them has no place (NaN).
    """
    total = weight.sum(1, keepdim=True)
    share = weight / total.where(total > 0, torch.nan)
    return (key_place[seen] * share.unsqueeze(-1)).sum(1)
