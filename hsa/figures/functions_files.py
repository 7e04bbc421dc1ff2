"""What splats serve, as files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hsa.figures.file_bytes import csv_bytes, npz_bytes
from hsa.figures.functions import (
    findings_table,
    function_map_figure,
    function_matrix_figure,
    matrix_findings,
    served_counts,
)
from hsa.figures.standalone import titled_html
from hsa.specialization.findings import ALL, FIGURES, Finding, Findings


def findings_csv(found: list[Finding]) -> bytes:
    """One row a finding, the most telling first."""
    return csv_bytes(findings_table(found).sort_values("bits", ascending=False))


def served_csv(findings: Findings, function: str, layers: int, heads: int) -> bytes:
    """The map of one function: layer, head and how many splats serve it, empty if unmeasured."""
    counts = served_counts(findings, function, layers, heads)
    layer, head = np.indices(counts.shape).reshape(2, -1)
    splats = pd.array([None if np.isnan(n) else int(n) for n in counts.ravel()], dtype="Int64")
    return csv_bytes(pd.DataFrame({"layer": layer, "head": head, "splats": splats}))


def map_html(
    findings: Findings, function: str, layers: int, heads: int, chosen: tuple[int, int], title: str
) -> bytes:
    """The map of one function as one HTML file."""
    drawn = function_map_figure(findings, function, layers, heads, chosen)
    return titled_html(drawn, title)


def matrix_html(
    findings: Findings, layer: int, head: int, chosen: int | None, title: str
) -> bytes:  # fmt: skip
    """The matrix of one head as one HTML file."""
    drawn = function_matrix_figure(matrix_findings(findings, layer, head), chosen)
    return titled_html(drawn, title)


def findings_npz(findings: Findings) -> bytes:
    """Every finding of the field as arrays, and what it holds of.

    `function` is a place in `function_names`; `figures` [findings, columns] has its columns named
    in `figure_names`; odds and their bounds are logarithms, as tests have them.
    """
    arrays: dict[str, Any] = {
        name: getattr(findings, name).numpy()
        for name in ("layer", "head", "splat_id", "level", "function", "figures")
    }
    arrays |= {
        "function_names": np.array([one.name for one in ALL]),
        "function_kinds": np.array([one.kind for one in ALL]),
        "figure_names": np.array(FIGURES),
        "layers_measured": np.array(findings.layers),
        "query_heads_of_a_key_value_head": findings.group,
        "model": np.array(findings.model),
        "field": np.array(findings.field),
        "texts": np.array([name for name, _ in findings.corpus]),
        "texts_sha256": np.array([digest for _, digest in findings.corpus]),
        "tokens": findings.tokens,
        "tests": findings.tests,
    }
    return npz_bytes(arrays)
