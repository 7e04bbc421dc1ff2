"""What is wrong with the splats of a head, by what a corpus makes of them, and what to try."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.adaptation.evidence import Evidence
from hsa.adaptation.keys import Cloud, KeySample, cloud
from hsa.adaptation.merge import blended_share, runnalls, siblings
from hsa.adaptation.observe import Observation
from hsa.field.splat_field import LEVELS, PHRASE, SplatField
from hsa.hyperparameter import check_bounds, hyperparameter

FlagKind = Literal["dead", "redundant", "dominating", "over-wide", "over-opened", "drifting"]
Action = Literal["retire", "merge", "split", "adapt"]

MEANINGS: dict[str, str] = {
    "dead": "No key of the corpus came to it, where its prior share promised several.",
    "redundant": "Merging it with a sibling would hardly change the field.",
    "dominating": "It holds a large part of all that the head attends to.",
    "over-wide": "Its closed answer makes a large part of the head's error.",
    "over-opened": "Nearly every query opens it, so that its own answer is read for nothing.",
    "drifting": "Its keys lie elsewhere than where it was fitted.",
}


@dataclass(frozen=True)
class DiagnosisSettings:
    """Where a figure becomes a flag; the figure itself stands in the reason."""

    promised: float = hyperparameter(5.0, 1.0, 1000.0, "keys", "promised to a dead splat")
    merge_cost: float = hyperparameter(
        0.05, 0.0, 100.0, "", "most that merging a redundant pair may cost (Runnalls' bound, in "
        "units of the mean share of the level)",
    )  # fmt: skip
    mass: float = hyperparameter(0.2, 0.01, 1.0, "of far mass", "held by a dominating splat")
    error: float = hyperparameter(0.1, 0.01, 1.0, "of closed error", "made by an over-wide splat")
    opened: float = hyperparameter(0.9, 0.1, 1.0, "of queries", "that open an over-opened splat")
    moved: float = hyperparameter(
        1.0, 0.1, 100.0, "σ", "between the mean of its keys and a drifting splat, per dimension"
    )

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class Flag:
    """One thing that stands out in a splat.

    Attributes:
        value: the figure, in the unit of its setting.
        reason: the figure in a sentence.
        partner: the sibling that a redundant splat would be merged with.
    """

    kind: FlagKind
    splat_id: int
    level: int
    value: float
    reason: str
    action: Action
    partner: int | None = None


@dataclass(frozen=True)
class Checkup:
    """What a corpus makes of a key/value head.

    Attributes:
        evidence: means over passages, keys summed; rows stand as in the field.
        opened: share of queries that opened each splat.
        keys, known: of the corpus in the frame, and what they say of each splat.
        error: of each query head, the mean over passages.
        flags: the gravest first within each kind.
    """

    field: SplatField
    evidence: Evidence
    opened: Float[Tensor, " N"]
    keys: KeySample
    known: Cloud
    error: tuple[float, ...]
    flags: tuple[Flag, ...]

    def of_splat(self, splat_id: int) -> tuple[Flag, ...]:
        """What stands out in one splat."""
        return tuple(flag for flag in self.flags if flag.splat_id == splat_id)


def checkup(field: SplatField, seen: Sequence[Observation], settings: DiagnosisSettings) -> Checkup:
    """Look a head over by what several passages said of it."""
    evidence = Evidence(
        **{
            of.name: _joined(of.name, torch.stack([getattr(one.seen, of.name) for one in seen]))
            for of in fields(Evidence)
        }
    )
    opened = torch.stack([one.opened for one in seen]).mean(0)
    x = torch.cat([one.x for one in seen])
    keys = KeySample(x.half(), torch.cat([one.received for one in seen]), len(x))
    known = cloud(field, keys)
    errors = torch.stack([one.error for one in seen]).mean(0)
    flags = tuple(_flags(field, evidence, opened, known, len(x), settings))
    return Checkup(field, evidence, opened, keys, known, tuple(errors.tolist()), flags)


def _joined(name: str, values: Float[Tensor, "X N"]) -> Float[Tensor, " N"]:
    return values.sum(0) if name in ("keys", "unused", "age") else values.mean(0)


def _flags(
    field: SplatField, evidence: Evidence, opened: Tensor, known: Cloud, tokens: int,
    settings: DiagnosisSettings,
) -> Iterator[Flag]:  # fmt: skip
    of_level = [field.rows(level) for level in range(3)]
    promised = field.log_amplitude.exp() * tokens
    dead = (evidence.keys == 0) & (promised >= settings.promised)
    yield from _each(field, "dead", promised.where(dead, 0.0), "retire", lambda row: (
        f"none of {tokens:,} keys; its prior share promised {promised[row]:.0f}"
    ))  # fmt: skip
    yield from _redundant(field, known, settings)
    far = evidence.mass[of_level[PHRASE]].sum().clamp_min(1e-30)
    share = evidence.mass / far
    phrase = field.level == PHRASE
    yield from _each(
        field, "dominating", share.where(phrase & (share >= settings.mass), 0.0), "split",
        lambda row: f"{share[row]:.0%} of what the head gives to far keys, one of "
        f"{int(phrase.sum())} Phrases",
    )  # fmt: skip
    wrong = evidence.answer_error()
    part = wrong / wrong.sum().clamp_min(1e-30)
    yield from _each(
        field, "over-wide", part.where(part >= settings.error, 0.0), "split",
        lambda row: f"{part[row]:.0%} of the head's closed error, {math.sqrt(wrong[row]):.1%} of "
        "the output's length",
    )  # fmt: skip
    asked = opened + evidence.closed
    yield from _each(
        field, "over-opened", opened.where((opened >= settings.opened) & (asked > 0), 0.0), "split",
        lambda row: f"{opened[row]:.0%} of all queries open it",
    )  # fmt: skip
    away = (known.mean - field.position).square() / field.log_spread.exp()
    moved = away.mean(1).sqrt().where(known.count >= settings.promised, 0.0)
    yield from _each(
        field, "drifting", moved.where(moved >= settings.moved, 0.0), "adapt",
        lambda row: f"the mean of its {int(known.count[row]):,} keys lies {moved[row]:.1f} σ away "
        "in every dimension",
    )  # fmt: skip


def _each(field: SplatField, kind: FlagKind, value: Tensor, action: Action, reason) -> list[Flag]:
    found = []
    for row in value.argsort(descending=True, stable=True).tolist():
        if float(value[row]) <= 0:
            break
        found.append(
            Flag(kind, int(field.splat_id[row]), int(field.level[row]), float(value[row]),
                 f"{reason(row)}.", action)
        )  # fmt: skip
    return found


def _redundant(field: SplatField, known: Cloud, settings: DiagnosisSettings) -> list[Flag]:
    share = blended_share(field, known)
    best: dict[int, tuple[float, int]] = {}
    for level in range(3):
        first, second = siblings(field, level)
        if not first.numel():
            continue
        cost = runnalls(field, first, second, share)
        cheap = (cost <= settings.merge_cost).nonzero().squeeze(1)
        for pair in cheap.tolist():
            for row, other in ((first, second), (second, first)):
                at, beside = int(row[pair]), int(other[pair])
                best[at] = min(best.get(at, (math.inf, -1)), (float(cost[pair]), beside))
    found = []
    for row, (cost, beside) in sorted(best.items(), key=lambda item: item[1]):
        partner = int(field.splat_id[beside])
        name = LEVELS[int(field.level[row])]
        found.append(
            Flag("redundant", int(field.splat_id[row]), int(field.level[row]), cost,
                 f"merging it with its sibling {name} {partner} would cost {cost:.2g}.", "merge",
                 partner)
        )  # fmt: skip
    return found
