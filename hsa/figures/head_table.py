"""A grid of heads as a table, and as files."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from hsa.evaluation.head_grid import ANSWERED_BY, HeadGrid
from hsa.evaluation.scores import SCORES
from hsa.figures.file_bytes import csv_bytes, npz_bytes


def head_table(grid: HeadGrid) -> pd.DataFrame:
    """One row per head, layer by layer; a column per score."""
    layers, heads = np.indices((grid.layers, grid.heads)).reshape(2, -1)
    columns = {"layer": layers, "head": heads}
    columns |= {name: score.of(grid).flatten().numpy() for name, score in SCORES.items()}
    return pd.DataFrame(columns)


def head_csv(grid: HeadGrid) -> bytes:
    """The table as CSV."""
    return csv_bytes(head_table(grid))


def head_npz(grid: HeadGrid) -> bytes:
    """Every array of the grid as NPZ; `mass` has the last axis `mass_axis`."""
    arrays: dict[str, Any] = {
        part.name: np.asarray(getattr(grid, part.name)) for part in fields(HeadGrid)
    }
    return npz_bytes({**arrays, "mass_axis": np.array(ANSWERED_BY)})
