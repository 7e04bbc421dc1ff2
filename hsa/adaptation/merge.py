"""Merge: siblings that say nearly the same become one (design §8).

What a pair's merging would cost is bounded by Runnalls (IEEE TAES 43(3), 2007): half of
w log|Σ| of the two as one, less that of each.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.adaptation.edit import Edit, Head
from hsa.adaptation.keys import Cloud
from hsa.adaptation.splats import Splats
from hsa.field.splat_field import SplatField


def together(
    field: SplatField, first: Int[Tensor, " M"], second: Int[Tensor, " M"]
) -> tuple[Float[Tensor, " M"], Float[Tensor, "M D"], Float[Tensor, "M D"]]:
    """Log share, mean and variance of pairs taken as one: mass, mean and variance are kept."""
    weight = torch.logaddexp(field.log_amplitude[first], field.log_amplitude[second])
    share = (field.log_amplitude[first] - weight).exp().unsqueeze(1)
    mean = share * field.position[first] + (1 - share) * field.position[second]
    return weight, mean, _variance(field, first, second, share)


def _variance(field: SplatField, first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Of two splats as one, the first of which has the given share of both."""
    apart = field.position[first] - field.position[second]
    return (
        share * field.log_spread[first].exp()
        + (1 - share) * field.log_spread[second].exp()
        + share * (1 - share) * apart * apart
    )


def runnalls(
    field: SplatField, first: Int[Tensor, " M"], second: Int[Tensor, " M"],
    share: Float[Tensor, " N"],
) -> Float[Tensor, " M"]:  # fmt: skip
    """The bound for each pair, in units of the mean share of the pair's level.

    Args:
        share: of keys, by which the splats are weighed.
    """
    both = share[first] + share[second]
    of_first = (share[first] / both.clamp_min(1e-12)).unsqueeze(1)
    cost = both * _variance(field, first, second, of_first).log().sum(1)
    for one in (first, second):
        cost = cost - share[one] * field.log_spread[one].sum(1)
    level = field.level[first]
    of_level = torch.bincount(field.level, minlength=3)[level]
    return 0.5 * cost * of_level


def blended_share(field: SplatField, known: Cloud) -> Float[Tensor, " N"]:
    """Half the prior share of keys, half that of the sample: what a splat is worth to both."""
    of_sample = known.count / known.own.shape[0] if known.own.shape[0] else known.count
    return 0.5 * (field.log_amplitude.exp() + of_sample)


def siblings(field: SplatField, level: int) -> tuple[Int[Tensor, " M"], Int[Tensor, " M"]]:
    """Every pair of splats of a level with the same parent."""
    rows = field.rows(level)
    parent = field.parent[rows]
    same = torch.triu(parent.unsqueeze(0) == parent.unsqueeze(1), diagonal=1)
    first, second = same.nonzero(as_tuple=True)
    return first + rows.start, second + rows.start


def merges(
    head: Head, known: Cloud, level: int, threshold: float, most: int, free: Bool[Tensor, " N"],
    new_id: Iterator[int],
) -> list[Edit]:  # fmt: skip
    """Join the sibling pairs of least cost below `threshold`; no splat joins twice at once."""
    field = head.field
    first, second = siblings(field, level)
    both = free[first] & free[second]
    first, second = first[both], second[both]
    if not first.numel() or most <= 0:
        return []
    cost = runnalls(field, first, second, blended_share(field, known))
    edits: list[Edit] = []
    taken: set[int] = set()
    for pair in cost.topk(min(4 * most, cost.numel()), largest=False).indices.tolist():
        if float(cost[pair]) >= threshold or len(edits) == most:
            break
        rows = (int(first[pair]), int(second[pair]))
        if taken.isdisjoint(rows):
            taken.update(rows)
            edits.append(_joined(head, rows, next(new_id), float(cost[pair]), threshold))
    return edits


def _joined(head: Head, rows: tuple[int, int], new: int, cost: float, threshold: float) -> Edit:
    field = head.field
    one, other = (torch.tensor([row]) for row in rows)
    weight, mean, variance = together(field, one, other)
    ids = tuple(int(field.splat_id[row]) for row in rows)
    below = torch.isin(field.parent, torch.tensor(rows)).nonzero().squeeze(1)
    parent = int(field.parent[rows[0]])
    return Edit(
        kind="merge",
        level=int(field.level[rows[0]]),
        removed=ids,
        put=Splats(
            splat_id=torch.tensor([new]),
            parent_id=torch.tensor([int(field.splat_id[parent]) if parent >= 0 else -1]),
            position=mean,
            log_spread=variance.log(),
            log_amplitude=weight,
        ).rounded(),
        adopted=tuple((child, new) for child in field.splat_id[below].tolist()),
        heirs=tuple((splat, new, 1.0) for splat in ids),
        evidence=cost,
        threshold=threshold,
    )
