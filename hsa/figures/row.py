"""One query's row key by key: standard attention beside HSA, as a table and as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import torch

from hsa.attention.effective import cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.evaluation.agreement import Measure
from hsa.field.splat_field import LEVELS
from hsa.figures.bars import Bar, bars_figure
from hsa.figures.token_label import token_label

BARS = 12


def row_table(
    result: HSAResult, layer: FramedLayer, strings: Sequence[str], head: int, query: int
) -> pd.DataFrame:
    """Every key that the query may see.

    Columns: position, token, standard and hsa (weights A_ij), difference (HSA's minus
    standard's), standard_norm and hsa_norm (‖A_ij v_j‖), read_as (near, opened, or closed in
    a splat of which level), splat (its id, or missing).
    """
    (cut,) = cut_rows(result, layer, head, [query])
    seen = cut.visible[0]
    standard = cut.logits[0].masked_fill(~seen, -torch.inf).softmax(0)
    hsa, norm = cut.weights()[0], cut.v.norm(dim=1)
    ids = layer.field.splat_id[head // layer.y.shape[1]].cpu()
    read_as, splat = [], []
    for key in seen.nonzero().squeeze(1).tolist():
        node = int(cut.answered_by[0, key])
        if node < 0:
            read_as.append("near" if bool(cut.near[0, key]) else "opened")
            splat.append(None)
        else:
            read_as.append(LEVELS[int(cut.level[node])])
            splat.append(int(ids[cut.row[node]]))
    keys = seen.nonzero().squeeze(1)
    return pd.DataFrame(
        {
            "position": keys.numpy(),
            "token": [strings[key] for key in keys.tolist()],
            "standard": standard[seen].numpy(),
            "hsa": hsa[seen].numpy(),
            "difference": (hsa - standard)[seen].numpy(),
            "standard_norm": (standard * norm)[seen].numpy(),
            "hsa_norm": (hsa.abs() * norm)[seen].numpy(),
            "read_as": read_as,
            "splat": pd.array(splat, dtype="Int64"),
        }
    )


def standard_row_figure(
    row: pd.DataFrame, measure: Measure, chosen: int | None = None, bars: int = BARS
) -> go.Figure:
    """The keys that standard attention looks at most, coloured by how HSA read them."""
    column = "standard" if measure == "weight" else "standard_norm"
    shown = row.sort_values(column, ascending=False, kind="stable").head(bars)
    return bars_figure(
        [
            Bar(
                name=f"{entry['position']} {token_label(entry['token'])}",
                value=float(entry[column]),
                answered_by=entry["read_as"],
                note=f"{_how(entry)} by HSA<br>HSA's weight {entry['hsa']:.4g}, "
                f"standard's {entry['standard']:.4g}",
                chosen=entry["position"] == chosen,
            )
            for entry in _records(shown)
        ],
        measure,
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [str(column) for column in frame]
    return [dict(zip(columns, entry, strict=True)) for entry in frame.itertuples(index=False)]


def _how(entry: dict[str, Any]) -> str:
    if entry["read_as"] in LEVELS:
        return f"answered in {entry['read_as']} {entry['splat']}"
    return f"read as {'a near' if entry['read_as'] == 'near' else 'an opened'} token"
