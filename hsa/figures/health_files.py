"""What was found of heads and splats, and what an edit did, as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from hsa.adaptation.evidence import Evidence
from hsa.field.splat_field import LEVELS
from hsa.figures.file_bytes import csv_bytes, npz_bytes
from hsa.specialization.attempt import Attempt
from hsa.specialization.diagnosis import Checkup
from hsa.specialization.health import LayerHealth


def heads_csv(found: Sequence[LayerHealth]) -> bytes:
    """A row a key/value head, the one that errs most first."""
    rows = sorted((row for one in found for row in one.rows()), key=lambda row: -row["error"])
    return csv_bytes(pd.DataFrame(rows))


def flags_csv(found: LayerHealth) -> bytes:
    """Every flag of every head of a layer; `partner` is the sibling to merge with."""
    rows = [
        (group, LEVELS[flag.level], flag.splat_id, flag.kind, flag.value, flag.reason, flag.action,
         flag.partner)
        for group, head in enumerate(found.heads) for flag in head.flags
    ]  # fmt: skip
    names = ["key/value head", "level", "splat", "flag", "value", "reason", "to try", "partner"]
    return csv_bytes(pd.DataFrame(rows, columns=names).astype({"partner": "Int64"}))


def head_npz(head: Checkup) -> bytes:
    """Evidence of every splat of a head, and the error of its query heads."""
    arrays: dict[str, Any] = {
        "splat_id": head.field.splat_id.numpy(),
        "level": head.field.level.numpy(),
        "level_names": np.array(LEVELS),
        "opened": head.opened.numpy(),
        "query_head_error": np.array(head.error),
    }
    arrays |= {of.name: getattr(head.evidence, of.name).numpy() for of in fields(Evidence)}
    return npz_bytes(arrays)


def attempt_csv(tried: Attempt) -> bytes:
    """Error and reads before and after the edit, a row a held text and query head of the group."""
    text, head = np.indices(tuple(tried.before.error.shape)).reshape(2, -1)
    columns: dict[str, Any] = {"held text": text, "query head of the group": head}
    for when in ("before", "after"):
        judged = getattr(tried, when)
        for name in ("error", "reads"):
            columns[f"{name} {when}"] = getattr(judged, name).flatten().numpy()
    return csv_bytes(pd.DataFrame(columns))
