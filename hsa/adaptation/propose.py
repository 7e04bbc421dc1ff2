"""One event of one head: what the rules propose, level by level, before anyone judges it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from hsa.adaptation.birth import births
from hsa.adaptation.death import deaths
from hsa.adaptation.drift import LOWEST_FIRST, adoptions, drifts
from hsa.adaptation.edit import Edit, Head, Kind, apply_edits
from hsa.adaptation.keys import Cloud, KeySample, cloud
from hsa.adaptation.merge import merges
from hsa.adaptation.mitosis import mitoses
from hsa.adaptation.schedule import cap
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.thresholds import Thresholds
from hsa.field.splat_field import PHRASE

Batch = tuple[Edit, ...]
"""Edits that touch different splats, applied at once."""


@dataclass(frozen=True)
class Proposal:
    """Batches in the order in which they apply, and the head as they would leave it."""

    batches: tuple[Batch, ...]
    head: Head

    @property
    def edits(self) -> list[Edit]:
        """All of them."""
        return [edit for batch in self.batches for edit in batch]


@dataclass
class Allowance:
    """Edits that a level has saved up: rates below one splat an event add up until one is whole."""

    saved: dict[str, float]

    def earn(self, kind: Kind, level: int, target: float) -> int:
        """Add one event's worth; how many edits may be proposed now, twice the target at most."""
        now = min(self.saved.get(f"{kind} {level}", 0.0) + target, max(2 * target, 1.0))
        self.saved[f"{kind} {level}"] = now
        return int(now)

    def spend(self, kind: Kind, level: int, fired: int) -> None:
        """What was proposed is no longer saved."""
        name = f"{kind} {level}"
        self.saved[name] = max(0.0, self.saved[name] - fired)


def targets(settings: AdaptationSettings, level: int, splats: float) -> dict[Kind, float]:
    """Edits aimed at in one event of a level of so many splats."""
    rate = settings.level_rate(level) * splats
    return {
        "death": settings.death_rate * rate,
        "merge": settings.merge_rate * rate,
        "birth": settings.birth_rate * rate if level == PHRASE else 0.0,
        "mitosis": settings.mitosis_rate * rate,
    }


def structure(
    head: Head, keys: KeySample, thresholds: tuple[Thresholds, ...], allowance: Allowance,
    settings: AdaptationSettings, sizes: tuple[int, ...], event: int, share: float,
    generator: torch.Generator,
) -> Proposal:  # fmt: skip
    """Deaths, merges, births and divisions, Phrases first; a level keeps to its cap and floor.

    Args:
        sizes: splats of each level before the first text.
        share: of the rates that is proposed.
    """
    batches: list[Batch] = []
    new_id = count(head.next_id)
    for level in LOWEST_FIRST:
        known = cloud(head.field, keys)
        batch = _of_level(
            head, keys, known, level, thresholds[level].values, allowance, settings,
            sizes[level], event, share, new_id, generator,
        )  # fmt: skip
        if batch:
            head = apply_edits(head, batch)
            batches.append(batch)
    return Proposal(tuple(batches), head)


def _of_level(
    head: Head, keys: KeySample, known: Cloud, level: int, threshold: dict[Kind, float],
    allowance: Allowance, settings: AdaptationSettings, size: int, event: int, share: float,
    new_id: Iterator[int], generator: torch.Generator,
) -> Batch:  # fmt: skip
    standing = int((head.field.level == level).sum())
    most, least = cap(settings, size, event), max(2, round(settings.least * size))
    if settings.pruned_to < settings.least:
        least = max(2, round(settings.pruned_to * size))
    aims = targets(settings, level, share * size)
    free = torch.ones(head.field.splats, dtype=torch.bool)
    edits: list[Edit] = []

    def allowed(kind: Kind, room: int) -> int:
        return max(0, min(allowance.earn(kind, level, aims[kind]), room))

    def take(kind: Kind, fired: list[Edit]) -> None:
        allowance.spend(kind, level, len(fired))
        edits.extend(fired)
        free[_occupied(head, fired)] = False

    growth = sum(aims[kind] for kind in ("birth", "mitosis") if kind in settings.rules)
    needed = max(0, standing + max(1, round(growth)) - most)
    for kind in ("death", "merge"):
        if kind in settings.rules:
            over = max(0, standing - most - len(edits))
            can = min(standing - len(edits) - least, max(needed - len(edits), 0))
            at_most = max(allowed(kind, can), min(over, can))
            if kind == "death":
                fired = deaths(head, level, threshold[kind], at_most, free, settings.patience)
            else:
                fired = merges(head, known, level, threshold[kind], at_most, free, new_id)
            take(kind, fired)
    room = most - (standing - len(edits))
    if "birth" in settings.rules and level == PHRASE:
        at_most = allowed("birth", room)
        fired = births(head, keys, known, threshold["birth"], at_most, new_id, generator)
        take("birth", fired)
        room -= len(fired)
    if "mitosis" in settings.rules:
        at_most = allowed("mitosis", room)
        take("mitosis", mitoses(
            head, keys, known, level, threshold["mitosis"], at_most, free, new_id
        ))  # fmt: skip
    return tuple(edits)


def _occupied(head: Head, edits: list[Edit]) -> Tensor:
    """Rows that leave, and rows that take in the children of those."""
    put = {splat for edit in edits for splat in edit.put.splat_id.tolist()}
    parents = {to for edit in edits for _, to in edit.adopted} - put
    return head.row_of([*parents, *(splat for edit in edits for splat in edit.removed)])


def drifted(head: Head, keys: KeySample, rate: float, settings: AdaptationSettings) -> Proposal:
    """Positions follow keys from the Phrases up, then children go to the nearest parent."""
    batches: list[Batch] = []
    for level in LOWEST_FIRST:
        own = rate if level == PHRASE else rate * min(settings.level_rate(level), 1.0)
        known = cloud(head.field, keys)
        edits = drifts(head, known, level, own, settings.drift_share)
        if edits:
            head = apply_edits(head, edits)
            batches.append(tuple(edits))
    for level in (PHRASE, PHRASE - 1):
        share = settings.drift_share * min(settings.level_rate(level - 1), 1.0)
        most = round(share * int((head.field.level == level).sum()))
        edits = adoptions(head, level, most)
        if edits:
            head = apply_edits(head, edits)
            batches.append(tuple(edits))
    return Proposal(tuple(batches), head)
