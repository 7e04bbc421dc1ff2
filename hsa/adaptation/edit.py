"""A change of a field as data, and the one function that applies it (design §8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.adaptation.evidence import Evidence
from hsa.adaptation.moves import Moves
from hsa.adaptation.splats import Splats
from hsa.errors import FieldError
from hsa.field.splat_field import SplatField

Kind = Literal["birth", "mitosis", "merge", "death", "drift"]
KINDS: tuple[Kind, ...] = ("death", "merge", "birth", "mitosis", "drift")
"""In the order in which an event tries them: room is made before it is filled."""


@dataclass(frozen=True)
class Edit:
    """One change of one head's field, at one level.

    Attributes:
        removed: ids that leave.
        put: splats that arrive.
        moved: splats of the level that drift.
        adopted: (child id, id of its new parent), of children of what was removed.
        shift: added to the log amplitude of every other splat of the level, so that the prior
            shares of a level add up to what they did.
        heirs: (old id, new id, share): whose evidence goes to whom.
        evidence, threshold: the number that fired, and what it was held against.
    """

    kind: Kind
    level: int
    removed: tuple[int, ...]
    put: Splats
    moved: Moves | None = None
    adopted: tuple[tuple[int, int], ...] = ()
    shift: float = 0.0
    heirs: tuple[tuple[int, int, float], ...] = ()
    evidence: float = 0.0
    threshold: float = 0.0

    def touched(self) -> set[int]:
        """Ids that this edit removes, puts or moves."""
        moved = [] if self.moved is None else self.moved.splat_id.tolist()
        return {*self.removed, *self.put.splat_id.tolist(), *moved}


@dataclass(frozen=True)
class Head:
    """One key/value head's field beside its evidence; `next_id` was never given to a splat."""

    field: SplatField
    evidence: Evidence
    next_id: int

    def row_of(self, ids: Sequence[int] | Tensor) -> Int[Tensor, " M"]:
        """Rows of splats by id.

        Raises:
            FieldError: no splat has that id.
        """
        wanted = torch.as_tensor(ids, dtype=torch.long)
        order = self.field.splat_id.argsort()
        known = self.field.splat_id[order]
        at = torch.searchsorted(known, wanted).clamp_max(max(known.numel() - 1, 0))
        if wanted.numel() and (not known.numel() or not torch.equal(known[at], wanted)):
            raise FieldError(
                "The edit does not fit this field",
                got=f"splats {sorted(set(wanted.tolist()) - set(known.tolist()))[:5]}",
                needed="splats that are in the field",
                attempt="apply edits in the order of their log, to the field that it names",
            )
        return order[at]


def apply_edits(head: Head, edits: Sequence[Edit]) -> Head:
    """The head after edits that touch different splats: field, hierarchy and evidence together.

    As if applied one after the other. Every number that comes out is one that stood before, one
    that an edit holds, or a sum of two such, so the same edits give the same bits everywhere.

    Raises:
        FieldError: an edit names splats that are not there, two touch the same, or one leaves
            children without a parent.
    """
    if not edits:
        return head
    head = replace(head, field=_moved(head, edits))
    old = head.field
    put = [edit.put for edit in edits]
    put_id = torch.cat([splats.splat_id for splats in put])
    kept = ~torch.isin(old.splat_id, _gone(head, edits, put_id))

    def joined(before: Tensor, after: Sequence[Tensor]) -> Tensor:
        return torch.cat([before[kept], *after])

    level = joined(old.level, [torch.full_like(e.put.splat_id, e.level) for e in edits])
    splat_id = joined(old.splat_id, [put_id])
    order = splat_id.argsort(stable=True)
    order = order[level[order].argsort(stable=True)]
    before = torch.where(old.parent >= 0, old.splat_id[old.parent.clamp_min(0)], -1)
    parent_id = joined(_adopted(old.splat_id, before, edits), [p.parent_id for p in put])[order]
    splat_id, level = splat_id[order], level[order]
    after = SplatField(
        frame=old.frame,
        position=joined(old.position, [p.position for p in put])[order],
        log_spread=joined(old.log_spread, [p.log_spread for p in put])[order],
        log_amplitude=_shifted(old, kept, edits)[order],
        level=level,
        parent=_rows_of_parents(splat_id, parent_id, edits),
        splat_id=splat_id,
    )
    newest = int(put_id.max()) + 1 if put_id.numel() else 0
    evidence = _inherited(head, edits, kept, put_id)
    return Head(after, evidence.rows(order), max(head.next_id, newest))


def _moved(head: Head, edits: Sequence[Edit]) -> SplatField:
    field = head.field
    for edit in edits:
        if edit.moved is not None:
            field = edit.moved.applied(field, head.row_of(edit.moved.splat_id))
    return field


def _gone(head: Head, edits: Sequence[Edit], put_id: Tensor) -> Int[Tensor, " M"]:
    """Ids that leave."""
    removed = [splat for edit in edits for splat in edit.removed]
    head.row_of([*removed, *(child for edit in edits for child, _ in edit.adopted)])
    touched = [splat for edit in edits for splat in edit.touched()]
    if len(set(touched)) != len(touched) or bool(torch.isin(put_id, head.field.splat_id).any()):
        raise FieldError(
            "Edits of one batch must touch different splats, and put new ones",
            got=f"{len(touched) - len(set(touched))} splats touched twice",
            attempt="apply the edits one after the other",
        )
    return torch.tensor(removed, dtype=torch.long)


def _adopted(splat_id: Tensor, parent_id: Tensor, edits: Sequence[Edit]) -> Tensor:
    for edit in edits:
        for child, to in edit.adopted:
            parent_id = parent_id.masked_fill(splat_id == child, to)
    return parent_id


def _shifted(old: SplatField, kept: Tensor, edits: Sequence[Edit]) -> Float[Tensor, " N"]:
    """Log amplitudes before sorting: an edit shifts all of its level but what it puts itself."""
    amplitude, level = old.log_amplitude[kept], old.level[kept]
    for edit in edits:
        if edit.shift:
            amplitude = torch.where(level == edit.level, amplitude + edit.shift, amplitude)
        amplitude = torch.cat([amplitude, edit.put.log_amplitude])
        level = torch.cat([level, torch.full_like(edit.put.splat_id, edit.level)])
    return amplitude


def _rows_of_parents(splat_id: Tensor, parent_id: Tensor, edits: Sequence[Edit]) -> Tensor:
    by_id = splat_id.argsort()
    at = torch.searchsorted(splat_id[by_id], parent_id).clamp_max(splat_id.numel() - 1)
    parent = torch.where(parent_id < 0, -1, by_id[at])
    if not torch.equal(splat_id[parent.clamp_min(0)].where(parent >= 0, -1), parent_id):
        raise FieldError(
            "The edits would leave splats without a parent",
            got=", ".join(sorted({edit.kind for edit in edits})),
            needed="a new parent for each child of what leaves",
        )
    return parent


SUMS = ("keys", "mass", "error", "mass_error", "value_error", "spread")
"""Evidence that heirs share out; the rest they take over as it is."""


def _inherited(head: Head, edits: Sequence[Edit], kept: Tensor, put_id: Tensor) -> Evidence:
    """Evidence before sorting: of what stays, and what heirs take over."""
    heirs = [heir for edit in edits for heir in edit.heirs]
    place_of = {splat: at for at, splat in enumerate(put_id.tolist())}
    row = head.row_of([source for source, _, _ in heirs])
    places = [place_of[new] for _, new, _ in heirs]
    place = torch.tensor(places, dtype=torch.long)
    share = torch.tensor([part for _, _, part in heirs])
    # Of what cannot be added, an heir of two takes over the first one's.
    once = torch.tensor([at == places.index(new) for at, new in enumerate(places)]).bool()
    parts = {}
    for of in fields(Evidence):
        before = getattr(head.evidence, of.name)
        put = before.new_zeros(put_id.numel())
        if of.name in SUMS:
            put.index_add_(0, place, share * before[row])
        else:
            put[place[once]] = before[row[once]]
        parts[of.name] = torch.cat([before[kept], put])
    return Evidence(**parts)
