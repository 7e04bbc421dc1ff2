"""What a row is made of: the members of its cut, ranked (design §7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.attention.effective import CutRows, cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.explanation.pair import UNLABELLED
from hsa.field.splat_field import LEVELS

TOKEN = "Token"


@dataclass(frozen=True)
class Contributor:
    """A member of a cut: a closed splat, or a token that was read.

    Attributes:
        kind: 'near' tokens are always read, 'opened' ones because their Phrase was opened.
        identity: a splat's id for life, or the position of a token.
        level: Document, Section, Phrase or Token.
        label: the token as a reader sees it, or the splat's level and id.
        keys: how many keys it answers for.
        weight: its share of the row's mass: m_s / Z_i, or A_ij.
        norm: ‖Σ A_ij v_j‖ over its keys, in the unit of the values: weight is not contribution.
        negative: mass of its keys whose tilted weight is negative.
    """

    kind: Literal["splat", "opened", "near"]
    identity: int
    level: str
    label: str
    keys: int
    weight: float
    norm: float
    negative: float
    specialisation: str | None = None


@dataclass(frozen=True)
class RowExplanation:
    """All that one query of one head attended to, by the members of its cut.

    Attributes:
        members: closed splats and tokens read, the largest weight first.
        total: sum of all their weights; one, but for rounding.
        near_weight, near_norm: of all near tokens together.
        reads: splats evaluated and far tokens read; `near_keys` are counted apart.
        budget_raised: the reads asked for were fewer than the roots of the hierarchy.
        whole: the query read every far key and evaluated no splat.
        negative_mass: share of the row's mass whose tilted weights are negative.
        tilt_switched_off: it would have exceeded the limit, so that this row has no tilt.
        row_sum: Σ_j A_ij over all keys, token by token.
        output_error: ‖Σ_j A_ij v_j - o_i‖ / ‖o_i‖, token by token, against the engine's output.
    """

    layer: int
    head: int
    query: int
    query_token: str
    members: tuple[Contributor, ...]
    total: float
    near_weight: float
    near_norm: float
    reads: int
    near_keys: int
    budget_raised: bool
    whole: bool
    negative_mass: float
    tilt_switched_off: bool
    row_sum: float
    output_error: float

    def by_norm(self) -> tuple[Contributor, ...]:
        """The members, the largest contribution first."""
        return tuple(sorted(self.members, key=lambda member: -member.norm))


def explain_row(
    result: HSAResult, layer: FramedLayer, strings: Sequence[str], head: int, query: int,
    labels: Mapping[int, str] = UNLABELLED,
) -> RowExplanation:  # fmt: skip
    """Rank the members of one query's cut.

    Args:
        labels: what splats serve for this head, by id.

    Raises:
        InputError: a head or a query that the result does not hold.
    """
    (cut,) = cut_rows(result, layer, head, [query])
    weights = cut.weights()[0]
    contribution = weights.unsqueeze(1) * cut.v
    ids = layer.field.splat_id[head // layer.y.shape[1]].cpu()
    mass = (cut.log_mass[0] - cut.log_z).exp()

    members = []
    for key in cut.read[0].nonzero().squeeze(1).tolist():
        members.append(
            Contributor(
                kind="near" if bool(cut.near[0, key]) else "opened",
                identity=key,
                level=TOKEN,
                label=str(strings[key]),
                keys=1,
                weight=float(weights[key]),
                norm=float(contribution[key].norm()),
                negative=0.0,
            )
        )
    for node in cut.closed[0].nonzero().squeeze(1).tolist():
        own = cut.answered_by[0] == node
        level, splat_id = LEVELS[int(cut.level[node])], int(ids[cut.row[node]])
        members.append(
            Contributor(
                kind="splat",
                identity=splat_id,
                level=level,
                label=f"{level} {splat_id}",
                keys=int(cut.count[node]),
                weight=float(mass[node]),
                norm=float(contribution[own].sum(0).norm()),
                negative=float(weights[own].clamp_max(0).sum().abs()),
                specialisation=labels.get(splat_id),
            )
        )
    near = cut.near[0]
    output = contribution.sum(0)
    return RowExplanation(
        layer=result.layer,
        head=head,
        query=query,
        query_token=strings[query],
        members=tuple(sorted(members, key=lambda member: -member.weight)),
        total=sum(member.weight for member in members),
        near_weight=float(weights[near].sum()),
        near_norm=float(contribution[near].sum(0).norm()),
        reads=int(cut.reads),
        near_keys=int(near.sum()),
        budget_raised=bool(cut.raised),
        whole=bool(cut.whole),
        negative_mass=float(negative_mass(cut)),
        tilt_switched_off=bool(tilt_switched_off(cut, layer)),
        row_sum=float(weights.sum()),
        output_error=float((output - cut.output[0]).norm() / cut.output[0].norm().clamp_min(1e-30)),
    )


def negative_mass(cut: CutRows) -> Float[Tensor, " Q"]:
    """Share of each row's mass whose weights are negative; shown, never clipped."""
    return cut.weights().clamp_max(0).sum(1).abs()


def tilt_switched_off(cut: CutRows, layer: FramedLayer) -> Bool[Tensor, " Q"]:
    """Rows whose closed splats have a calibrated tilt that was not used (design §5)."""
    group, member = divmod(cut.head, layer.y.shape[1])
    calibrated = layer.field.tilt[group, member].cpu()[cut.level] != 0
    meant = (cut.closed & calibrated).any(1)
    return meant & ~(cut.tilt != 0).any(1)


def closed_levels(cut: CutRows) -> Bool[Tensor, "Q 3"]:
    """Whether each row has a closed Document, Section and Phrase."""
    return torch.stack([(cut.closed & (cut.level == level)).any(1) for level in range(3)], dim=1)
