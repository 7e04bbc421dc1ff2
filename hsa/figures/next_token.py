"""Next-token agreement along a text."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from hsa.figures.colours import BACKGROUND, CHOSEN, HSA_COLOUR
from hsa.figures.token_label import for_plotly, token_label
from hsa.inference.text_agreement import TextAgreement

LEAST = 1e-8
"""Nats below which float32 logits say nothing; smaller ones are drawn here."""


def next_token_figure(found: TextAgreement) -> go.Figure:
    """KL over the positions of the tokens predicted; crosses where the likeliest differ."""
    positions = list(range(1, len(found.tokens)))
    labels = [for_plotly(f"{at} {token_label(found.tokens.strings[at])}") for at in positions]
    height = found.kl_nats.clamp_min(LEAST).tolist()
    figure = go.Figure()
    figure.add_scatter(
        x=positions,
        y=height,
        mode="lines",
        name="KL(standard ‖ HSA)",
        line={"color": HSA_COLOUR, "width": 1.8},
        text=labels,
        customdata=found.kl_nats.tolist(),
        hovertemplate="token %{text}<br>KL %{customdata:.3g} nats<extra></extra>",
    )
    apart = [n for n, match in enumerate(found.top_match.tolist()) if not match]
    figure.add_scatter(
        x=[positions[n] for n in apart],
        y=[height[n] for n in apart],
        mode="markers",
        name="another token likeliest",
        marker={"color": CHOSEN, "symbol": "x", "size": 8},
        hoverinfo="skip",
    )
    if 0 < found.prompt < len(found.tokens):
        figure.add_vline(
            x=found.prompt - 0.5,
            line={"color": BACKGROUND, "width": 1.5, "dash": "dash"},
            annotation={"text": "written under HSA →", "xanchor": "left"},
            annotation_position="top left",
        )
    figure.update_xaxes(title="position of the token predicted")
    figure.update_yaxes(title="KL, nats (log scale)", type="log", exponentformat="power", nticks=8)
    figure.update_layout(
        height=300,
        margin={"l": 8, "r": 8, "t": 44, "b": 8},
        legend={"orientation": "h", "y": 1.06, "yanchor": "bottom", "x": 0.0},
    )
    return figure


def next_token_table(found: TextAgreement) -> pd.DataFrame:
    """A row per token predicted."""
    return pd.DataFrame(
        {
            "position": range(1, len(found.tokens)),
            "token": list(found.tokens.strings[1:]),
            "written": [at >= found.prompt for at in range(1, len(found.tokens))],
            "kl_nats": found.kl_nats.tolist(),
            "top_match": found.top_match.tolist(),
            "hsa_nats": found.nats.tolist(),
            "standard_nats": found.standard_nats.tolist(),
        }
    )


def means_table(found: TextAgreement) -> pd.DataFrame:
    """A row for the prompt, what HSA wrote, and both."""
    parts = {
        "prompt": found.on_prompt,
        "written under HSA": found.on_written,
        "both": found.everywhere,
    }
    return pd.DataFrame(
        {
            "part": name,
            "tokens": means.tokens,
            "kl_nats": means.kl_nats,
            "top_share": means.top_share,
            "hsa_nats": means.nats,
            "standard_nats": means.standard_nats,
        }
        for name, means in parts.items()
        if means is not None
    )
