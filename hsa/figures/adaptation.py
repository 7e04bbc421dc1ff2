"""The numbers of an adaptation over its steps, as figures to keep."""

from __future__ import annotations

from collections import Counter

import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from hsa.adaptation.recording import Recording
from hsa.figures.colours import CHOSEN, HSA_COLOUR, STANDARD_COLOUR

PANEL_HEIGHT = 150
LINES = (
    (STANDARD_COLOUR, "solid"), (HSA_COLOUR, "dash"), ("#7a5cc2", "dot"), ("#8a94a3", "dashdot"),
)  # fmt: skip
"""Colour and dash of a panel's curves in their order: told apart in print too."""
TOLD = (
    ("mass", "attention mass", "exact attention on its far keys, per query"),
    ("error", "squared error", "what its closed answer moved outputs by, in units of ‖o‖²"),
)
"""Evidence of a splat: attribute of the recording, axis, and what it is."""


def curves_figure(shown: Recording, step: int) -> go.Figure:
    """Every curve of a film, panel below panel, with a line at the step that is shown."""
    panels = list(dict.fromkeys(curve.panel for curve in shown.curves))
    figure = make_subplots(
        rows=len(panels), cols=1, shared_xaxes=True, subplot_titles=panels,
        vertical_spacing=0.18 / max(len(panels), 1),
    )  # fmt: skip
    drawn: Counter[str] = Counter()
    for curve in shown.curves:
        row = panels.index(curve.panel) + 1
        colour, dash = LINES[drawn[curve.panel] % len(LINES)]
        drawn[curve.panel] += 1
        figure.add_scatter(
            x=list(range(len(curve.values))), y=curve.values.tolist(), mode="lines",
            name=f"{curve.panel}: {curve.name}",
            line={"width": 1.8, "color": colour, "dash": dash},
            hovertemplate=f"step %{{x}}: %{{y:.4g}}<extra>{curve.name}</extra>", row=row, col=1,
        )  # fmt: skip
        figure.update_yaxes(title=curve.unit, row=row, col=1)
    _mark(figure, step)
    figure.update_xaxes(title="step", row=len(panels), col=1)
    figure.update_layout(
        height=220 + PANEL_HEIGHT * len(panels), margin={"l": 8, "r": 8, "t": 28, "b": 8},
        legend={"orientation": "h", "yanchor": "top", "y": -0.07, "font": {"size": 11}},
    )  # fmt: skip
    return figure


def evidence_figure(shown: Recording, splat_id: int, step: int) -> go.Figure | None:
    """What texts told of one splat, and the edits that it was part of; None where none told.

    Raises:
        KeyError: no such splat ever stood.
    """
    number = {splat: at for at, splat in enumerate(shown.splat_id.tolist())}[splat_id]
    if shown.mass is None or shown.error is None or bool(shown.mass[:, number].isnan().all()):
        return None
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    for column, (name, axis, means) in enumerate(TOLD, 1):
        values: Float[Tensor, " S"] = getattr(shown, name)[:, number]
        known = (~values.isnan()).nonzero().squeeze(1)
        figure.add_scatter(
            x=known.tolist(), y=values[known].tolist(), mode="lines+markers",
            line={"color": HSA_COLOUR}, marker={"size": 6},
            hovertemplate=f"step %{{x}}: %{{y:.2g}}<extra>{means}</extra>", row=1, col=column,
        )  # fmt: skip
        figure.update_yaxes(title=axis, rangemode="tozero", row=1, col=column)
        figure.update_xaxes(title="step", range=[0, len(shown.step_names) - 1], row=1, col=column)
    for happening in shown.happenings:
        part = number in (*happening.before, *happening.after)
        if part and happening.accepted and happening.kind != "drift":
            figure.add_vline(
                x=happening.step,
                line={"color": STANDARD_COLOUR, "width": 1.5},
                annotation_text=happening.kind,
                annotation_position="top",
            )
    _mark(figure, step)
    figure.update_layout(height=230, margin={"l": 8, "r": 8, "t": 40, "b": 8}, showlegend=False)
    return figure


def _mark(figure: go.Figure, step: int) -> None:
    """The step that the player shows."""
    figure.add_vline(x=step, line={"color": CHOSEN, "width": 1.5, "dash": "dot"})
