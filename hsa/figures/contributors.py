"""What a row is made of: the members of its cut, as bars and as a table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from hsa.evaluation.agreement import Measure
from hsa.explanation.contributors import Contributor, RowExplanation
from hsa.figures.bars import COLOURS, NAMES, Bar, bars_figure, percent
from hsa.figures.token_label import token_label

BARS = 12


def row_mass_figure(row: RowExplanation) -> go.Figure:
    """The whole row as one bar that ends at 1: near and opened tokens, closed splats by level."""
    figure = go.Figure()
    for kind in ("near", "opened", "Phrase", "Section", "Document"):
        own = [member for member in row.members if _answered_by(member) == kind]
        if not own:
            continue
        weight = sum(member.weight for member in own)
        figure.add_bar(
            x=[weight],
            y=["row"],
            orientation="h",
            name=f"{NAMES[kind]} {percent(weight)}",
            marker={"color": COLOURS[kind]},
            hovertemplate=f"{len(own):,} × {NAMES[kind]}<br>{weight:.6g}<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        height=104,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=True,
        legend={"orientation": "h", "y": -0.25, "yanchor": "top", "traceorder": "normal"},
    )
    figure.update_xaxes(visible=False, range=[0, 1], fixedrange=True)
    figure.update_yaxes(visible=False, fixedrange=True)
    return figure


def contributors_figure(
    row: RowExplanation,
    measure: Measure,
    *,
    near: bool = True,
    chosen: tuple[str, int] | None = None,
    bars: int = BARS,
) -> go.Figure:
    """The first of the closed splats and tokens read, ranked.

    Args:
        near: rank near tokens too.
        chosen: kind and identity of the member that answers for the chosen key.
    """
    ranked = ranked_members(row, measure, near=near)
    drawn = [_bar(member, measure, chosen) for member in ranked[:bars]]
    return bars_figure(drawn, measure)


def ranked_members(row: RowExplanation, measure: Measure, *, near: bool) -> list[Contributor]:
    """The members in the order of the bars."""
    ranked = row.members if measure == "weight" else row.by_norm()
    return [member for member in ranked if near or member.kind != "near"]


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
    if member.specialisation:
        note += f"<br>{member.specialisation}"
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
