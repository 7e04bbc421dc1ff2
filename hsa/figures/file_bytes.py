"""A table as CSV, arrays as NPZ."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def csv_bytes(table: pd.DataFrame) -> bytes:
    """In UTF-8, which has no place for halves of characters: they become question marks."""
    return table.to_csv(index=False).encode("utf-8", "replace")


def npz_bytes(arrays: Mapping[str, Any]) -> bytes:
    """Compressed; readable without pickle."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
