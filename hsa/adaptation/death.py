"""Death: a splat that no text has used for long leaves (design §8)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool
from torch import Tensor

from hsa.adaptation.edit import Edit, Head
from hsa.adaptation.splats import no_splats
from hsa.field.splat_field import PHRASE


def deaths(
    head: Head, level: int, threshold: float, most: int, free: Bool[Tensor, " N"], patience: int
) -> list[Edit]:
    """Remove splats unused for `patience` texts whose prior share is small.

    The prior share that leaves is spread over the level by shifting every other log amplitude
    alike, so nothing routes otherwise. Children go to the nearest sibling; a Phrase that is the
    last of its Section stays, and so does a splat without a sibling.

    Args:
        threshold: of the prior share, in units of the mean share of the level.
    """
    field = head.field
    on = field.level == level
    share = field.log_amplitude.exp() * int(on.sum())
    dying = on & free & (head.evidence.unused >= patience) & (share < threshold)
    candidates = dying.nonzero().squeeze(1)
    edits: list[Edit] = []
    leaving: set[int] = set()
    sheltering: set[int] = set()  # Whoever takes children in stays.
    left = dict(zip(*_siblings_left(head, level), strict=True))
    for row in candidates[share[candidates].argsort(stable=True)].tolist():
        if len(edits) >= most:
            break
        parent = int(field.parent[row])
        if left[parent] <= 1 or int(field.splat_id[row]) in sheltering:
            continue
        edit = _removed(head, row, leaving, free, float(share[row]), threshold)
        if edit is not None:
            left[parent] -= 1
            leaving.add(row)
            sheltering.update(to for _, to in edit.adopted)
            edits.append(edit)
    return edits


def _siblings_left(head: Head, level: int) -> tuple[list[int], list[int]]:
    parents, counts = head.field.parent[head.field.rows(level)].unique(return_counts=True)
    return parents.tolist(), counts.tolist()


def _removed(
    head: Head, row: int, leaving: set[int], free: Tensor, share: float, threshold: float
) -> Edit | None:
    field = head.field
    adopted: tuple[tuple[int, int], ...] = ()
    if int(field.level[row]) < PHRASE:
        alike = ((field.parent == field.parent[row]) & (field.level == field.level[row])).clone()
        alike[[row, *leaving]] = False
        alike &= free
        others = alike.nonzero().squeeze(1)
        if not others.numel():
            return None
        away = (field.position[others] - field.position[row]).square().sum(1)
        to = int(field.splat_id[others[away.argmin()]])
        below = (field.parent == row).nonzero().squeeze(1)
        adopted = tuple((child, to) for child in field.splat_id[below].tolist())
    gone = float(field.log_amplitude[list(leaving)].exp().sum()) if leaving else 0.0
    left = max(1 - gone - float(field.log_amplitude[row].exp()), 1e-6)
    return Edit(
        kind="death",
        level=int(field.level[row]),
        removed=(int(field.splat_id[row]),),
        put=no_splats(field.position.shape[1]),
        adopted=adopted,
        shift=float(torch.tensor(math.log((1 - gone) / left))),
        evidence=share,
        threshold=threshold,
    )
