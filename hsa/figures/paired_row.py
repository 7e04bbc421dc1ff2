"""What answers a query in this case and in the pinned reference: signed bars, and a table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from hsa.evaluation.paired_row import PairedMember, PairedRow
from hsa.explanation.contributors import TOKEN
from hsa.figures.bars import BAR_PIXELS, FRAME_PIXELS, percent
from hsa.figures.token_label import for_plotly, token_label

BARS = 12
HIGHER, LOWER = "#b2182b", "#2166ac"
"""Ends of the colours of differences: higher in this case, higher in the reference."""


def paired_row_figure(row: PairedRow) -> go.Figure:
    """The members whose weights differ most; to the right where this case has more."""
    drawn = row.members[:BARS]
    places = [str(place) for place in range(len(drawn))]
    figure = go.Figure()
    figure.add_bar(
        x=[of.difference for of in drawn],
        y=places,
        orientation="h",
        marker={"color": [HIGHER if of.difference > 0 else LOWER for of in drawn]},
        text=[f"{percent(of.case_weight)} − {percent(of.reference_weight)}" for of in drawn],
        textposition="outside",
        cliponaxis=False,
        hovertext=[
            f"<b>{for_plotly(_name(of))}</b><br>this case: {of.case_weight:.4g}, "
            f"{of.case_standing}<br>reference: {of.reference_weight:.4g}, "
            f"{of.reference_standing}<br>difference: {of.difference:+.4g}"
            for of in drawn
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    widest = max((abs(of.difference) for of in drawn), default=0.0) or 1.0
    figure.update_xaxes(
        title="share of the row, this case − reference", tickformat="+.2~p",
        range=[-1.5 * widest, 1.5 * widest], fixedrange=True, zeroline=True,
    )  # fmt: skip
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=places[::-1],
        tickvals=places, ticktext=[for_plotly(_name(of)) for of in drawn],
        fixedrange=True, automargin=True,
    )  # fmt: skip
    figure.update_layout(
        height=FRAME_PIXELS + BAR_PIXELS * max(len(drawn), 3),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        bargap=0.25,
    )
    return figure


def paired_row_table(row: PairedRow) -> pd.DataFrame:
    """Every member of either cut."""
    return pd.DataFrame(
        {
            "member": [_name(of) for of in row.members],
            "case": [of.case_weight for of in row.members],
            "reference": [of.reference_weight for of in row.members],
            "difference": [of.difference for of in row.members],
            "case_standing": [of.case_standing for of in row.members],
            "reference_standing": [of.reference_standing for of in row.members],
        }
    )


def _name(of: PairedMember) -> str:
    if of.level != TOKEN:
        return of.label
    other = f" / {token_label(of.reference_label)}" if of.reference_label else ""
    return f"{of.identity} {token_label(of.label)}{other}"
