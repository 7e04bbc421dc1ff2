"""Mitosis: a splat whose closed answer is wrong divides along its principal axis (design §8)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.adaptation.edit import Edit, Head
from hsa.adaptation.keys import Cloud, KeySample
from hsa.adaptation.splats import Splats
from hsa.field.splat_field import PHRASE

SHIFT = 0.8
"""Distance of a child in standard deviations along the axis: √(2/π), where two halves of a
Gaussian have their means."""

FLOOR = 0.1
"""Share of its variance that a child keeps in every dimension."""

FEWEST_KEYS = 4
"""Keys of the sample below which a Phrase is not worth dividing."""


def strain(head: Head, known: Cloud, level: int) -> Float[Tensor, " N"]:
    """How much a splat asks to be divided, in units of its level's mean: the error of its closed
    answer, and the keys that opening it would have to read, half and half.
    """
    on = head.field.level == level

    def share(of: Tensor) -> Tensor:
        of = of.masked_fill(~on, 0.0)
        return of / (of.sum() / on.sum()).clamp_min(1e-30)

    return 0.5 * (share(head.evidence.answer_error()) + share(known.count))


def mitoses(
    head: Head, keys: KeySample, known: Cloud, level: int, threshold: float, most: int,
    free: Bool[Tensor, " N"], new_id: Iterator[int],
) -> list[Edit]:  # fmt: skip
    """Divide the splats of a level whose strain stands above the threshold.

    Two children in the parent's place share its prior mass; together they have its mean and
    variance: μ ± δ·u and σ² - δ²·u², u the principal axis of its keys. A splat with children of
    its own parts them by the side of it that they lie on.

    Args:
        free: splats that no other edit of the batch touches.
        new_id: ids never given before.
    """
    field = head.field
    children = torch.bincount(field.parent.clamp_min(0), field.parent >= 0, field.splats)
    enough = known.count >= FEWEST_KEYS if level == PHRASE else children > 1
    score = strain(head, known, level).masked_fill(~(enough & free), 0.0)
    edits: list[Edit] = []
    for row in score.topk(min(max(most, 0), field.splats)).indices.tolist():
        if float(score[row]) <= threshold:
            break
        mine = keys.of(known.own[:, level] == row) if level == PHRASE else _children(head, row)
        axis = principal_axis(mine)
        if axis is not None:
            edit = _divided(head, row, axis, float(score[row]), threshold, new_id)
            edits += [edit] if edit is not None else []
    return edits


def principal_axis(x: Float[Tensor, "K D"]) -> Float[Tensor, " D"] | None:
    """Unit vector along which points lie widest; None where all are one point."""
    centred = x - x.mean(0)
    axis = centred[centred.square().sum(1).argmax()]
    for _ in range(8):
        moved = centred.mT @ (centred @ axis)
        if float(moved.norm()) < 1e-9:
            return None
        axis = moved / moved.norm()
    return axis


def divided(
    position: Float[Tensor, " D"], variance: Float[Tensor, " D"], axis: Float[Tensor, " D"]
) -> tuple[Float[Tensor, "2 D"], Float[Tensor, " D"]]:
    """Positions and variance of two halves with the same mean and variance as the whole."""
    square = axis.square()
    room = ((1 - FLOOR) * variance / square.clamp_min(1e-12)).min()
    step = torch.minimum(SHIFT**2 * (square * variance).sum(), room).sqrt()
    halves = torch.stack([position - step * axis, position + step * axis])
    return halves, variance - step.square() * square


def _children(head: Head, row: int) -> Float[Tensor, "M D"]:
    return head.field.position[head.field.parent == row]


def _divided(
    head: Head, row: int, axis: Tensor, score: float, threshold: float, new_id: Iterator[int]
) -> Edit | None:
    field = head.field
    splat, level = int(field.splat_id[row]), int(field.level[row])
    position, variance = divided(field.position[row], field.log_spread[row].exp(), axis)
    below = (field.parent == row).nonzero().squeeze(1)
    offsets = (field.position[below] - field.position[below].mean(0)) @ axis
    side = (offsets > offsets.median()).long() if below.numel() else below
    if below.numel() and side.unique().numel() < 2:
        return None
    ids = (next(new_id), next(new_id))
    parent = int(field.parent[row])
    above = int(field.splat_id[parent]) if parent >= 0 else -1
    return Edit(
        kind="mitosis",
        level=level,
        removed=(splat,),
        put=Splats(
            splat_id=torch.tensor(ids),
            parent_id=torch.tensor([above, above]),
            position=position,
            log_spread=variance.log().expand(2, -1).contiguous(),
            log_amplitude=(field.log_amplitude[row] - math.log(2)).expand(2).contiguous(),
        ).rounded(),
        adopted=tuple(
            (child, ids[at])
            for child, at in zip(field.splat_id[below].tolist(), side.tolist(), strict=True)
        ),
        heirs=tuple((splat, child, 0.5) for child in ids),
        evidence=score,
        threshold=threshold,
    )
