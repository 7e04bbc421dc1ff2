"""Ranked horizontal bars, coloured by what answers for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from hsa.evaluation.agreement import Measure
from hsa.figures.colours import ANSWER_COLOURS, CHOSEN
from hsa.figures.token_label import for_plotly

COLOURS = dict(
    zip(("near", "opened", "Phrase", "Section", "Document"), ANSWER_COLOURS, strict=True)
)
NAMES = {
    "near": "near tokens",
    "opened": "opened tokens",
    "Phrase": "closed Phrase",
    "Section": "closed Section",
    "Document": "closed Document",
}
BAR_PIXELS, FRAME_PIXELS = 25, 64
TITLES = {"weight": "share of this row's attention, A", "contribution": "‖A v‖"}


@dataclass(frozen=True)
class Bar:
    """One bar; `name` is plain text, `note` Plotly's markup; `chosen` gets an outline."""

    name: str
    value: float
    answered_by: str
    note: str
    chosen: bool = False


def bars_figure(bars: Sequence[Bar], measure: Measure) -> go.Figure:
    """The first bar on top, its value written at its end."""
    figure = go.Figure()
    places = [str(place) for place in range(len(bars))]
    for kind in COLOURS:
        own = [place for place, bar in enumerate(bars) if bar.answered_by == kind]
        if not own:
            continue
        chosen = [bars[place].chosen for place in own]
        figure.add_bar(
            x=[bars[place].value for place in own],
            y=[places[place] for place in own],
            orientation="h",
            name=NAMES[kind],
            marker={
                "color": COLOURS[kind],
                "line": {"color": CHOSEN, "width": [3 if here else 0 for here in chosen]},
            },
            text=[_written(bars[place].value, measure) for place in own],
            textposition="outside",
            cliponaxis=False,
            hovertext=[
                f"<b>{for_plotly(bars[place].name)}</b><br>{bars[place].note}" for place in own
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    largest = max((bar.value for bar in bars), default=0.0)
    least = min((bar.value for bar in bars), default=0.0)
    figure.update_xaxes(
        title=TITLES[measure],
        tickformat=".2~p" if measure == "weight" else None,
        range=[min(1.25 * least, 0.0), 1.22 * largest or 1.0],
        fixedrange=True,
    )
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=places[::-1],
        range=[-0.6, len(bars) - 0.4],
        tickvals=places,
        ticktext=[for_plotly(bar.name) for bar in bars],
        fixedrange=True,
        automargin=True,
    )
    figure.update_layout(
        height=FRAME_PIXELS + BAR_PIXELS * max(len(bars), 3),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        bargap=0.25,
    )
    return figure


def percent(share: float) -> str:
    """Three digits, however small."""
    return f"{100 * share:.3g}%"


def _written(value: float, measure: Measure) -> str:
    return percent(value) if measure == "weight" else f"{value:.3g}"
