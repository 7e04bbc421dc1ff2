"""An adaptation's film, and what it gained, as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from hsa.adaptation.recording import Recording
from hsa.evaluation.adapted import TextErrors
from hsa.figures.adaptation import curves_figure
from hsa.figures.file_bytes import csv_bytes, npz_bytes
from hsa.figures.standalone import titled_html

STANDS = (
    "splat_id", "level", "born", "died", "frame_splat", "frame_step", "frame_x", "frame_y",
    "frame_share", "frame_parent",
)  # fmt: skip
GAINED = {"before": "before", "after": "after", "splats_off": "splats off"}


def curves_csv(recording: Recording) -> bytes:
    """A row a step, a column a curve."""
    table: dict[str, Any] = {
        "step": range(len(recording.step_names)),
        "text": list(recording.step_names),
    }
    table |= {f"{curve.panel}: {curve.name} ({curve.unit})": curve.values.tolist()
              for curve in recording.curves}  # fmt: skip
    return csv_bytes(pd.DataFrame(table))


def events_csv(recording: Recording) -> bytes:
    """A row an edit, accepted or not; splats by their ids."""
    ids = recording.splat_id.tolist()
    rows = []
    for happening in recording.happenings:
        told = asdict(happening)
        for side in ("before", "after"):
            told[side] = " ".join(str(ids[number]) for number in told[side])
        rows.append(told)
    names = ["step", "kind", "level", "before", "after", "accepted", "evidence", "threshold",
             "error_before", "error_after"]  # fmt: skip
    return csv_bytes(pd.DataFrame(rows, columns=names))


def curves_html(recording: Recording, step: int) -> bytes:
    """All curves as one HTML file."""
    return titled_html(curves_figure(recording, step), recording.title, legend=True)


def film_npz(recording: Recording) -> bytes:
    """Curves [curves, steps], who stood where when, and what texts told of every splat."""
    arrays: dict[str, Any] = {
        "curves": np.stack([curve.values.numpy() for curve in recording.curves]),
        "curve_names": np.array([f"{curve.panel}: {curve.name}" for curve in recording.curves]),
        "curve_units": np.array([curve.unit for curve in recording.curves]),
        "step_names": np.array(recording.step_names),
        "title": np.array(recording.title),
    }
    arrays |= {name: getattr(recording, name).numpy() for name in STANDS}
    for name in ("mass", "error"):
        told = getattr(recording, name)
        if told is not None:
            arrays[f"evidence_{name}"] = told.numpy()
    return npz_bytes(arrays)


def gain_table(found: TextErrors, heads: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """A row a head that was adapted: its error with the field before, after, and splats off."""
    return pd.DataFrame(
        {"layer": layer, "key/value head": group}
        | {title: found.mean(name, [(layer, group)]) for name, title in GAINED.items()}
        for layer, group in heads
    )


def gain_csv(found: TextErrors, heads: Sequence[tuple[int, int]]) -> bytes:
    """The same as a file."""
    return csv_bytes(gain_table(found, heads))


def gain_npz(found: TextErrors) -> bytes:
    """Errors [layers, query heads] of the layers that were adapted, by field."""
    return npz_bytes(
        {f"error_{name}": errors.numpy() for name, errors in found.errors.items()}
        | {"layers": np.array(found.layers), "key_value_heads": found.groups,
           "reads": found.reads}
    )  # fmt: skip
