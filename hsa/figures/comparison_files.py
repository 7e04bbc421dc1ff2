"""A comparison of one head as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.evaluation.agreement import HeadComparison, Measure
from hsa.explanation.contributors import explain_row
from hsa.figures.comparison_agreement import CURVES, agreement_figure, agreement_table
from hsa.figures.comparison_maps import maps_figure
from hsa.figures.contributors import contributor_table, contributors_figure, row_mass_figure
from hsa.figures.file_bytes import csv_bytes, npz_bytes
from hsa.figures.row import row_table
from hsa.figures.standalone import standalone_html, titled_html
from hsa.figures.token_label import token_label


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
    return titled_html(agreement_figure(compared, strings), title, legend=True)


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
    return titled_html(contributors_figure(row, measure, bars=40), named, legend=True)


def row_mass_html(
    result: HSAResult,
    layer: FramedLayer,
    strings: Sequence[str],
    head: int,
    query: int,
    title: str,
) -> bytes:
    """The bar of what answers for a whole row as one HTML file."""
    row = explain_row(result, layer, strings, head, query)
    named = f"{title}: what answers for query {query} {token_label(strings[query])} in all"
    return titled_html(row_mass_figure(row), named, legend=True)


def agreement_csv(compared: HeadComparison) -> bytes:
    """Means over the queries; a row per method."""
    return csv_bytes(agreement_table(compared))


def agreement_rows_csv(compared: HeadComparison, strings: Sequence[str]) -> bytes:
    """The curves: a row per query, a column per measure and method."""
    columns: dict[str, Any] = {
        "query": compared.queries.numpy(),
        "token": [strings[query] for query in compared.queries.tolist()],
        "reads": compared.reads.numpy(),
    }
    for name, agreement in (("hsa", compared.agreement), ("opened_only", compared.opened_only)):
        for measure in CURVES:
            columns[f"{name}_{measure}"] = getattr(agreement, measure).numpy()
    return csv_bytes(pd.DataFrame(columns))


def row_csv(
    result: HSAResult, layer: FramedLayer, strings: Sequence[str], head: int, query: int
) -> bytes:
    """Every key of a row in both attentions."""
    return csv_bytes(row_table(result, layer, strings, head, query))


def contributors_csv(
    result: HSAResult, layer: FramedLayer, strings: Sequence[str], head: int, query: int
) -> bytes:
    """Every member of a row's cut."""
    return csv_bytes(contributor_table(explain_row(result, layer, strings, head, query)))


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
    return npz_bytes(arrays)
