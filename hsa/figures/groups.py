"""A row by groups of tokens: both attentions as pairs of bars, and as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Int
from torch import Tensor

from hsa.evaluation.agreement import Measure
from hsa.explanation.groups import GroupedRow
from hsa.figures.bars import TITLES, percent
from hsa.figures.colours import CHOSEN, HSA_COLOUR, STANDARD_COLOUR
from hsa.figures.token_label import for_plotly, token_label

BARS = 12
PAIR_PIXELS, FRAME_PIXELS = 40, 110


def groups_table(
    row: GroupedRow, group: Int[Tensor, " T"], strings: Sequence[str], measure: Measure = "weight"
) -> pd.DataFrame:
    """Every group with a key that the query may see, those with most in either attention first.

    Columns: first (position of its first token), tokens (that the query may see), text,
    standard and hsa (Σ A), difference (HSA's minus standard's), standard_norm and hsa_norm
    (‖Σ A v‖), group (its number).
    """
    places: dict[int, list[int]] = {}
    for at, number in enumerate(group.tolist()):
        places.setdefault(number, []).append(at)
    numbers = row.group.tolist()
    table = pd.DataFrame(
        {
            "first": [places[number][0] for number in numbers],
            "tokens": row.keys.numpy(),
            "text": ["".join(strings[at] for at in places[number]) for number in numbers],
            "standard": row.standard.numpy(),
            "hsa": row.hsa.numpy(),
            "difference": (row.hsa - row.standard).numpy(),
            "standard_norm": row.standard_norm.numpy(),
            "hsa_norm": row.hsa_norm.numpy(),
            "group": numbers,
        }
    )
    most = table[list(_columns(measure))].max(axis=1)
    order = most.sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def groups_figure(
    table: pd.DataFrame, measure: Measure, chosen: int | None = None, bars: int = BARS
) -> go.Figure:
    """The first groups of the table; the chosen key's group is outlined."""
    shown = table.head(bars)
    places = [str(place) for place in range(len(shown))]
    names = [f"{at} {token_label(text)}" for at, text in _pairs(shown, "first", "text")]
    width = [2 if number == chosen else 0 for number in shown["group"].tolist()]
    figure = go.Figure()
    for column, name, colour in zip(
        _columns(measure), ("standard", "HSA"), (STANDARD_COLOUR, HSA_COLOUR), strict=True
    ):
        values = [float(value) for value in shown[column].tolist()]
        figure.add_bar(
            x=values,
            y=places,
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"color": CHOSEN, "width": width}},
            text=[percent(v) if measure == "weight" else f"{v:.3g}" for v in values],
            textposition="outside",
            cliponaxis=False,
            hovertext=[
                f"<b>{for_plotly(label)}</b><br>{count} {'token' if count == 1 else 'tokens'}"
                for label, count in zip(names, shown["tokens"].tolist(), strict=True)
            ],
            hovertemplate="%{hovertext}<br>" + name + " %{x:.4g}<extra></extra>",
        )
    values = shown[list(_columns(measure))].to_numpy()
    figure.update_xaxes(
        title=TITLES[measure].replace("A", "Σ A"),
        tickformat=".2~p" if measure == "weight" else None,
        range=[min(1.25 * values.min(), 0.0), 1.22 * values.max() or 1.0],
        fixedrange=True,
    )
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=places, autorange="reversed",
        tickvals=places, ticktext=[for_plotly(name) for name in names],
        fixedrange=True, automargin=True,
    )  # fmt: skip
    figure.update_layout(
        barmode="group",
        bargap=0.3,
        height=FRAME_PIXELS + PAIR_PIXELS * max(len(shown), 2),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
    )
    return figure


def _columns(measure: Measure) -> tuple[str, str]:
    return ("standard", "hsa") if measure == "weight" else ("standard_norm", "hsa_norm")


def _pairs(frame: pd.DataFrame, one: str, other: str) -> list[tuple]:
    return list(zip(frame[one].tolist(), frame[other].tolist(), strict=True))
