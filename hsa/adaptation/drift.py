"""Drift: splats follow their keys, and children go to the nearest parent (design §8)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.adaptation.edit import Edit, Head, moves, no_splats
from hsa.adaptation.keys import Cloud
from hsa.field.splat_field import DOCUMENT, PHRASE

MOST_WIDENED = 0.5
"""The most that one drift adds to a log spread, or takes from it."""


def pull(head: Head, known: Cloud) -> Float[Tensor, " N"]:
    """How hard its keys pull at each splat: their number times squared distance of their mean,
    in its own spreads.
    """
    away = (known.mean - head.field.position).square() / head.field.log_spread.exp()
    return known.count * away.mean(1)


def drifts(head: Head, known: Cloud, level: int, rate: float, share: float) -> list[Edit]:
    """Move the given share of a level's splats, those that are pulled hardest; one edit.

    μ ← μ + r·(x̄ - μ); the spread follows by one factor, towards what its keys' variance is to
    its own, less where keys are few.
    """
    field = head.field
    strength = pull(head, known).masked_fill(field.level != level, 0.0)
    most = max(1, round(share * int((field.level == level).sum())))
    row = strength.topk(most).indices
    row = row[strength[row] > 0].sort().values
    if not row.numel() or rate <= 0:
        return []
    keys = known.count[row]
    ratio = known.variance[row].sum(1) / field.log_spread[row].exp().sum(1)
    trust = rate * keys / (keys + 4)
    widened = (trust * ratio.clamp_min(1e-3).log()).clamp(-MOST_WIDENED, MOST_WIDENED)
    moved = moves(field.splat_id[row], rate * (known.mean[row] - field.position[row]), widened)
    nobody = no_splats(field.position.shape[1])
    return [Edit("drift", level, (), nobody, moved, evidence=float(strength[row].mean()))]


def adoptions(head: Head, level: int, most: int) -> list[Edit]:
    """Splats of a level that lie nearer to another parent go to it, the farthest from home first.

    No parent loses its last child. What a query finds in a Section is what this decides: without
    it layers 18 and 22 gained a third as much on court cases.
    """
    field = head.field
    if level == DOCUMENT:
        return []
    rows, parents = field.rows(level), field.rows(level - 1)
    away = torch.cdist(field.position[rows], field.position[parents])
    home = field.parent[rows] - parents.start
    best, to = away.min(1)
    gain = away.gather(1, home.unsqueeze(1)).squeeze(1) - best
    left = torch.bincount(home, minlength=away.shape[1]).tolist()
    adopted: list[tuple[int, int]] = []
    for child in gain.argsort(descending=True, stable=True).tolist():
        if float(gain[child]) <= 0 or len(adopted) >= most:
            break
        if left[int(home[child])] > 1:
            left[int(home[child])] -= 1
            left[int(to[child])] += 1
            ids = field.splat_id[rows][child], field.splat_id[parents][to[child]]
            adopted.append((int(ids[0]), int(ids[1])))
    if not adopted:
        return []
    nobody = no_splats(field.position.shape[1])
    evidence = float(len(adopted))
    return [Edit("drift", level, (), nobody, adopted=tuple(adopted), evidence=evidence)]


LOWEST_FIRST = (PHRASE, PHRASE - 1, DOCUMENT)
"""Levels in the order in which they drift: parents follow what their children did."""
