"""An edit tried out: one splat split, merged or retired, and what that does on held text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from hsa.adaptation.death import deaths
from hsa.adaptation.edit import Edit, Head, apply_edits
from hsa.adaptation.held import Judged, Probe, judge
from hsa.adaptation.merge import blended_share, merges, runnalls, siblings
from hsa.adaptation.mitosis import mitoses
from hsa.errors import InputError
from hsa.field.layer_field import LayerField, stack
from hsa.field.splat_field import LEVELS, SplatField
from hsa.specialization.diagnosis import Checkup

Change = Literal["split", "merge", "retire"]
ANYTHING = float("inf")


@dataclass(frozen=True)
class Attempt:
    """An edit of one key/value head beside the field as it is, on the same texts and queries.

    Attributes:
        before, after: by text and query head of the group, as `hsa.adaptation.held.judge` says.
    """

    edit: Edit
    field: SplatField
    before: Judged
    after: Judged

    @property
    def error(self) -> tuple[float, float]:
        """Mean relative output error of the group's heads, before and after."""
        return float(self.before.error.mean()), float(self.after.error.mean())

    @property
    def reads(self) -> tuple[float, float]:
        """Mean reads per query, before and after."""
        return float(self.before.reads.mean()), float(self.after.reads.mean())


def attempt(
    head: Checkup,
    layer: LayerField,
    group: int,
    probes: Sequence[Probe],
    change: Change,
    splat_id: int,
    partner: int | None = None,
) -> Attempt:
    """Try a change of one splat by the rules of adaptation, and judge it.

    Args:
        head: what the corpus made of the head, whose keys a split follows.
        layer: the layer's field, of which `group` is the head's place.
        partner: the sibling to merge with; the nearest by cost if left out.

    Raises:
        InputError: there is no such splat, or it cannot be changed so.
    """
    edit = _edit(head, change, splat_id, partner)
    before = Head(head.field, head.evidence, int(head.field.splat_id.max()) + 1)
    after = apply_edits(before, [edit]).field
    chosen = [group]
    return Attempt(
        edit, after,
        judge(probes, _alone(layer, group, head.field), chosen),
        judge(probes, _alone(layer, group, after), chosen),
    )  # fmt: skip


def _alone(layer: LayerField, group: int, field: SplatField) -> LayerField:
    one = slice(group, group + 1)
    return stack([field], layer.temper[one], layer.tilt[one])


def _edit(head: Checkup, change: Change, splat_id: int, partner: int | None) -> Edit:
    field = head.field
    rows = (field.splat_id == splat_id).nonzero().squeeze(1)
    if not rows.numel():
        raise InputError(
            "There is no such splat", got=f"splat {splat_id}", needed="one of this head",
            attempt="it may have been merged or retired since; choose another",
        )  # fmt: skip
    row = int(rows)
    level = int(field.level[row])
    new_id = count(int(field.splat_id.max()) + 1)
    evidence = replace(
        head.evidence, unused=(torch.arange(field.splats) == row).float(),
        age=torch.ones(field.splats),
    )  # fmt: skip
    whole = Head(field, evidence, int(field.splat_id.max()) + 1)
    if change == "split":
        mine = _only(field, [row])
        found = mitoses(whole, head.keys, head.known, level, 0.0, 1, mine, new_id)
    elif change == "merge":
        pair = [row, _partner(head, row, level, partner)]
        found = merges(whole, head.known, level, ANYTHING, 1, _only(field, pair), new_id)
    else:
        everyone = torch.ones(field.splats, dtype=torch.bool)
        found = deaths(whole, level, ANYTHING, 1, everyone, patience=1)
    if not found:
        raise InputError(
            f"{LEVELS[level]} {splat_id} cannot be changed so", got=change,
            needed="several keys or children to split by, a sibling to merge with or to leave "
            "children to",
            attempt="try another change",
        )  # fmt: skip
    return found[0]


def _only(field: SplatField, rows: Sequence[int]) -> Bool[Tensor, " N"]:
    free = torch.zeros(field.splats, dtype=torch.bool)
    free[list(rows)] = True
    return free


def _partner(head: Checkup, row: int, level: int, partner: int | None) -> int:
    field = head.field
    first, second = siblings(field, level)
    mine = (first == row) | (second == row)
    first, second = first[mine], second[mine]
    other = torch.where(first == row, second, first)
    if partner is not None:
        chosen = other[field.splat_id[other] == partner]
        if not chosen.numel():
            raise InputError(
                "These two are no siblings", got=f"splats {int(field.splat_id[row])}, {partner}",
                needed="two splats with the same parent",
            )  # fmt: skip
        return int(chosen[0])
    if not other.numel():
        return row
    cost = runnalls(field, first, second, blended_share(field, head.known))
    return int(other[cost.argmin()])
