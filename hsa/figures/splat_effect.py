"""What closing, removing or replacing a splat does: rows, layers, next tokens."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from hsa.evaluation.next_token_change import NextTokenChange, Prediction
from hsa.evaluation.splat_effect import BEFORE, Case, HeadEffect, NextTokenEffect
from hsa.explanation.counterfactual import Counterfactual
from hsa.figures.colours import CHOSEN, HSA_COLOUR, STANDARD_COLOUR
from hsa.figures.token_label import for_plotly, token_label

LEAST, LEAST_NATS = 1e-6, 1e-9
"""Changes below which float32 says nothing: smaller ones are not drawn."""

TITLES: dict[Case, str] = {
    "removed from standard": "removed, under standard attention",
    "closed": "closed in every row, under HSA",
    "removed": "removed, under HSA",
    "replaced": "read as tokens in every row, under HSA",
}
COLOURS: dict[Case, str] = {
    "removed from standard": STANDARD_COLOUR,
    "closed": HSA_COLOUR,
    "removed": CHOSEN,
    "replaced": "#6a4fb3",
}


def effect_table(effects: Sequence[HeadEffect], found: Counterfactual) -> pd.DataFrame:
    """A row a case: change of the head and of its layer, and its error beside exact attention."""
    return pd.DataFrame(
        {
            "case": [TITLES[effect.case] for effect in effects],
            "before": [BEFORE[effect.case] for effect in effects],
            "head_change": [effect.head_total for effect in effects],
            "worst_row": [float(effect.head.max()) for effect in effects],
            "layer_change": [effect.layer.total for effect in effects],
            "error_before": [_error_before(effect.case, found) for effect in effects],
            "error_after": [_error_after(effect.case, found) for effect in effects],
        }
    )


def rows_table(effects: Sequence[HeadEffect], found: Counterfactual) -> pd.DataFrame:
    """A row a query: every case's change of the head and of the layer."""
    columns = {"query": range(len(found.hsa_error)), "hsa_error": found.hsa_error.tolist()}
    for effect in effects:
        name = effect.case.replace(" ", "_")
        columns[f"{name}_head_change"] = effect.head.tolist()
        columns[f"{name}_layer_change"] = effect.layer.by_row.tolist()
        if effect.case != "removed from standard":
            columns[f"{name}_error"] = found.of(effect.case).error.tolist()
    return pd.DataFrame(columns)


def rows_figure(effects: Sequence[HeadEffect], strings: Sequence[str]) -> go.Figure:
    """Change of the head's output in every row, on a log scale."""
    labels = [for_plotly(f"{at} {token_label(token)}") for at, token in enumerate(strings)]
    figure = go.Figure()
    for effect in effects:
        drawn = (effect.head > LEAST).nonzero().flatten().tolist()
        figure.add_scatter(
            x=drawn,
            y=effect.head[drawn].tolist(),
            mode="markers",
            name=TITLES[effect.case],
            marker={"color": COLOURS[effect.case], "size": 5, "opacity": 0.75},
            text=[labels[at] for at in drawn],
            hovertemplate="query %{text}<br>change %{y:.3g}<extra></extra>",
        )
    figure.update_xaxes(title="position of the query", range=[-1, len(labels)])
    figure.update_yaxes(
        title="change of output, log", type="log", exponentformat="power",
        dtick=1,
    )  # fmt: skip
    return _sized(figure)


def next_token_kl_figure(effects: Sequence[NextTokenEffect], strings: Sequence[str]) -> go.Figure:
    """KL(before ‖ after) of the prediction after every token; crosses at those that change most."""
    labels = [for_plotly(f"{at} {token_label(token)}") for at, token in enumerate(strings)]
    figure = go.Figure()
    for effect in effects:
        kl = effect.change.kl_nats
        drawn = (kl > LEAST_NATS).nonzero().flatten().tolist()
        figure.add_scatter(
            x=drawn,
            y=kl[drawn].tolist(),
            mode="markers",
            name=TITLES[effect.case],
            marker={"color": COLOURS[effect.case], "size": 5, "opacity": 0.75},
            text=[labels[at] for at in drawn],
            hovertemplate="after %{text}<br>KL %{y:.3g} nats<extra></extra>",
        )
        most = [of.position for of in effect.change.most if of.kl_nats > LEAST_NATS]
        figure.add_scatter(
            x=most, y=[float(kl[at]) for at in most], mode="markers", showlegend=False,
            hoverinfo="skip",
            marker={"symbol": "x", "size": 9, "color": COLOURS[effect.case]},
        )  # fmt: skip
    figure.update_xaxes(title="position of the token read last", range=[-1, len(labels)])
    figure.update_yaxes(
        title="KL, nats, log", type="log", exponentformat="power", dtick=1
    )  # fmt: skip
    return _sized(figure)


def most_changed_table(change: NextTokenChange) -> pd.DataFrame:
    """A row a position, the largest KL first: the likeliest tokens before and after."""
    return pd.DataFrame(
        {
            "position": [of.position for of in change.most],
            "after_token": [token_label(of.token) for of in change.most],
            "text_goes_on": [
                "" if of.follows is None else token_label(of.follows) for of in change.most
            ],
            "kl_nats": [of.kl_nats for of in change.most],
            "before": [predicted(of.before) for of in change.most],
            "after": [predicted(of.after) for of in change.most],
        }
    )


def next_token_table(effects: Sequence[NextTokenEffect], strings: Sequence[str]) -> pd.DataFrame:
    """A row a position: KL of every case that was run."""
    columns: dict[str, list] = {
        "position": list(range(len(strings))),
        "token": [token_label(token) for token in strings],
    }
    for effect in effects:
        columns[f"{effect.case.replace(' ', '_')}_kl_nats"] = effect.change.kl_nats.tolist()
    return pd.DataFrame(columns)


def predicted(likeliest: Sequence[Prediction]) -> str:
    """Tokens with their probabilities, in one line."""
    return " · ".join(f"{token_label(of.token)} {of.probability:.1%}" for of in likeliest)


def _error_before(case: Case, found: Counterfactual) -> float:
    return 0.0 if case == "removed from standard" else found.total_hsa_error


def _error_after(case: Case, found: Counterfactual) -> float:
    if case == "removed from standard":
        return found.total_standard_change
    return found.of(case).total_error


def _sized(figure: go.Figure) -> go.Figure:
    return figure.update_layout(
        height=280,
        margin={"l": 8, "r": 8, "t": 64, "b": 8},
        legend={"orientation": "h", "y": 1.06, "yanchor": "bottom", "x": 0.0},
    )
