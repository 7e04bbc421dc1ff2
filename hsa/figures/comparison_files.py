"""A comparison of one head as files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.evaluation.agreement import HeadComparison, Measure
from hsa.explanation.contributors import explain_row
from hsa.figures.comparison_agreement import CURVES, agreement_figure
from hsa.figures.comparison_maps import maps_figure
from hsa.figures.contributors import contributor_table, contributors_figure
from hsa.figures.row import row_table
from hsa.figures.standalone import standalone_html
from hsa.figures.token_label import for_plotly, token_label


def maps_html(
    compared: HeadComparison,
    strings: Sequence[str],
    measure: Measure,
    title: str,
    scale: str,
    hide_first_key: bool,
) -> bytes:
    """The three maps as one HTML file; a log scale is drawn as square root, and says so."""
    figure = maps_figure(
        compared, strings, measure, title, gamma=scale != "linear", hide_first_key=hide_first_key
    )
    return standalone_html(figure)


def agreement_html(compared: HeadComparison, strings: Sequence[str], title: str) -> bytes:
    """The agreement curves as one HTML file."""
    return _alone(agreement_figure(compared, strings), title)


def _alone(figure: go.Figure, title: str) -> bytes:
    """With a title, and room for axes, which a page's theme gives otherwise."""
    figure.update_layout(
        title=for_plotly(title),
        width=1000,
        height=figure.to_dict()["layout"]["height"] + 110,
        margin={"l": 80, "r": 30, "t": 90, "b": 60},
        showlegend=True,
    )
    return standalone_html(figure)


def contributors_html(
    result: HSAResult,
    layer: FramedLayer,
    strings: Sequence[str],
    head: int,
    query: int,
    measure: Measure,
    title: str,
) -> bytes:
    """A row's contributors as one HTML file."""
    row = explain_row(result, layer, strings, head, query)
    named = f"{title}: what answers query {query} {token_label(strings[query])}"
    return _alone(contributors_figure(row, measure, bars=40), named)


def row_csv(
    result: HSAResult, layer: FramedLayer, strings: Sequence[str], head: int, query: int
) -> bytes:
    """Every key of a row in both attentions."""
    return row_table(result, layer, strings, head, query).to_csv(index=False).encode()


def contributors_csv(
    result: HSAResult, layer: FramedLayer, strings: Sequence[str], head: int, query: int
) -> bytes:
    """Every member of a row's cut."""
    table = contributor_table(explain_row(result, layer, strings, head, query))
    return table.to_csv(index=False).encode()


def comparison_npz(compared: HeadComparison, strings: Sequence[str]) -> bytes:
    """Both matrices [query, key], both outputs, the agreement of every row, and the tokens."""
    arrays: dict[str, Any] = {
        "queries": compared.queries.numpy(),
        "standard": compared.standard.numpy(),
        "hsa": compared.hsa.numpy(),
        "standard_output": compared.standard_output.numpy(),
        "hsa_output": compared.hsa_output.numpy(),
        "value_norm": compared.value_norm.numpy(),
        "reads": compared.reads.numpy(),
        "near_keys": compared.near_keys.numpy(),
        "tokens": np.array(strings),
    }
    for name, agreement in (("hsa", compared.agreement), ("opened_only", compared.opened_only)):
        for measure in CURVES:
            arrays[f"{name}_{measure}"] = getattr(agreement, measure).numpy()
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
