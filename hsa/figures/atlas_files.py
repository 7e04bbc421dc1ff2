"""An atlas as a table, and as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hsa.atlas.atlas import Atlas
from hsa.field.splat_field import LEVELS
from hsa.figures.file_bytes import csv_bytes, npz_bytes


def atlas_table(atlas: Atlas, words: Sequence[str], rows: np.ndarray | None = None) -> pd.DataFrame:
    """One row a splat: where it belongs, what it holds, every attribute, its place on the map.

    Args:
        words: what each splat holds, as `token_label` writes tokens.
        rows: those to list, in this order; all unless told otherwise.
    """
    at = np.arange(atlas.splats) if rows is None else rows
    parent = np.where(
        atlas.parent.numpy() >= 0, atlas.splat_id.numpy()[atlas.parent.clamp_min(0).numpy()], -1
    )
    heads = [atlas.heads[number] for number in atlas.head[at].tolist()]
    columns: dict[str, Any] = {
        "layer": [layer for layer, _ in heads],
        "head": [group for _, group in heads],
        "id": atlas.splat_id.numpy()[at],
        "level": [LEVELS[level] for level in atlas.level[at].tolist()],
        "parent": pd.array([None if p < 0 else p for p in parent[at].tolist()], dtype="Int64"),
        "holds": [words[row] for row in at.tolist()],
    }
    for attribute in atlas.attributes:
        if attribute.name in columns:
            continue
        if attribute.numeric:
            columns[attribute.name] = attribute.numbers.numpy()[at]
        else:
            columns[attribute.name] = [attribute.names[row] for row in at.tolist()]
    columns |= {axis: atlas.place[:, i].numpy()[at] for i, axis in enumerate("xy")}
    return pd.DataFrame(columns)


def atlas_csv(atlas: Atlas, words: Sequence[str], rows: np.ndarray) -> bytes:
    """The table of some splats as CSV."""
    return csv_bytes(atlas_table(atlas, words, rows))


def atlas_npz(atlas: Atlas, positions: Sequence[np.ndarray]) -> bytes:
    """Places, hierarchy, every attribute, and each head's positions in its frame.

    Args:
        positions: [N, D] of every head, in the atlas's order.
    """
    arrays: dict[str, Any] = {
        "heads": np.array(atlas.heads),
        "head": atlas.head.numpy(),
        "splat_id": atlas.splat_id.numpy(),
        "level": atlas.level.numpy(),
        "level_names": np.array(LEVELS),
        "parent_row": atlas.parent.numpy(),
        "place": atlas.place.numpy(),
    }
    for attribute in atlas.attributes:
        values = attribute.values
        arrays[f"attribute_{attribute.name}"] = (
            np.array(values) if isinstance(values, tuple) else values.numpy()
        )
    for (layer, group), position in zip(atlas.heads, positions, strict=True):
        arrays[f"position_layer{layer}_head{group}"] = position
    return npz_bytes(arrays)
