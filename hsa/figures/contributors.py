"""What a row is made of: the members of its cut, as bars and as a table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from hsa.evaluation.agreement import Measure
from hsa.explanation.contributors import Contributor, RowExplanation
from hsa.figures.bars import Bar, bars_figure
from hsa.figures.token_label import token_label

BARS = 12


def contributors_figure(
    row: RowExplanation,
    measure: Measure,
    *,
    near_together: bool = True,
    chosen: tuple[str, int] | None = None,
    bars: int = BARS,
) -> go.Figure:
    """Closed splats and tokens, ranked; by weight, all others as one bar, so that all sum to 1.

    Args:
        near_together: near tokens as a single bar.
        chosen: kind and identity of the member that answers for the chosen key.
    """
    ranked = row.members if measure == "weight" else row.by_norm()
    single = [member for member in ranked if not (near_together and member.kind == "near")]
    drawn = [_bar(member, measure, chosen) for member in single[:bars]]
    if near_together and row.near_keys:
        together = Bar(
            f"{row.near_keys} near tokens",
            row.near_weight if measure == "weight" else row.near_norm,
            "near",
            f"weight {row.near_weight:.4g}, ‖Σ A v‖ {row.near_norm:.4g}<br>always read as tokens",
            chosen is not None and chosen[0] == "near",
        )
        drawn = sorted([together, *drawn], key=lambda bar: -bar.value)
    rest = single[bars:]
    if rest and measure == "weight":
        weight = sum(member.weight for member in rest)
        drawn.append(Bar(f"{len(rest):,} other members", weight, "rest", ""))
    return bars_figure(drawn, measure)


def contributor_table(row: RowExplanation) -> pd.DataFrame:
    """Every member of the cut: what it is, its keys, weight and ‖Σ A v‖."""
    return pd.DataFrame(
        {
            "member": [_name(member) for member in row.members],
            "read_as": [_answered_by(member) for member in row.members],
            "id_or_position": [member.identity for member in row.members],
            "keys": [member.keys for member in row.members],
            "weight": [member.weight for member in row.members],
            "norm": [member.norm for member in row.members],
            "negative_mass": [member.negative for member in row.members],
            "specialisation": [member.specialisation for member in row.members],
        }
    )


def _bar(member: Contributor, measure: Measure, chosen: tuple[str, int] | None) -> Bar:
    keys = "one key" if member.keys == 1 else f"{member.keys} keys"
    note = f"weight {member.weight:.4g}, ‖Σ A v‖ {member.norm:.4g}<br>{keys}, "
    note += f"closed {member.level}" if member.kind == "splat" else f"{member.kind} token"
    if member.negative:
        note += f"<br>negative mass {member.negative:.2g}"
    return Bar(
        name=_name(member),
        value=member.weight if measure == "weight" else member.norm,
        answered_by=_answered_by(member),
        note=note,
        chosen=chosen == (_group(member), member.identity),
    )


def _name(member: Contributor) -> str:
    if member.kind == "splat":
        return f"{member.label} ({member.keys})"
    return f"{member.identity} {token_label(member.label)}"


def _answered_by(member: Contributor) -> str:
    return member.level if member.kind == "splat" else member.kind


def _group(member: Contributor) -> str:
    return member.level if member.kind == "splat" else member.kind
