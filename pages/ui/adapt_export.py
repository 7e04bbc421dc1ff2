"""What can be taken away: the film, its curves, the log, and the adapted field."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from hsa.adaptation.recording import Recording
    from hsa.field.model_field import ModelField
    from pages.ui.adapt_recorded import Film
    from pages.ui.adapt_run import Run

BINARY = "application/octet-stream"
IMAGE = {
    name: {"displaylogo": False, "displayModeBar": True,
           "toImageButtonOptions": {"format": name.lower(), "filename": "adaptation", "scale": 2}}
    for name in ("PNG", "SVG")
}  # fmt: skip
"""How a figure leaves by the camera above it."""


def film_downloads(shown: Film) -> None:
    """The film as a page of its own, and its curves as numbers; made when asked for."""
    from pages.ui.player import standalone_html

    name = re.sub(r"[^\w.-]+", "-", shown.recording.title).strip("-")
    with st.popover("Download"):
        st.download_button(
            "Film (HTML, plays without this app)",
            lambda: standalone_html(shown.blob, shown.recording.title).encode(),
            f"{name}.html", "text/html", on_click="ignore", key="download-film",
        )  # fmt: skip
        st.download_button(
            "Curves (CSV)", lambda: curves_csv(shown.recording), f"{name}.csv", "text/csv",
            on_click="ignore", key="download-curves",
        )  # fmt: skip


def curves_to_keep(recording: Recording, step: int) -> None:
    """All curves as one figure, for a paper or a talk; drawn when asked for."""
    from hsa.figures.adaptation import curves_figure

    if not st.toggle("Curves as a figure", key="show-curves"):
        return
    kind = st.segmented_control(
        "Image", list(IMAGE), default="PNG", required=True, key="curves-kind",
        help="What the camera above the figure saves.",
    )  # fmt: skip
    st.plotly_chart(
        curves_figure(recording, step), key=f"curves-{kind}", config=IMAGE[kind or "PNG"]
    )


def run_downloads(run: Run) -> None:
    """The log, which replays anywhere, and the field."""
    after = run.after
    with st.popover("Download"):
        st.download_button(
            "Log (replay it with python -m hsa replay)", run.log.read_bytes,
            f"{_plain_name(run)}.log", BINARY, on_click="ignore", key="download-log",
        )  # fmt: skip
        if after is not None:
            st.download_button(
                "Adapted field (.safetensors and .json, zipped)",
                lambda: field_zip(after, _plain_name(run)),
                f"{_plain_name(run)}.zip", "application/zip", on_click="ignore",
                key="download-field",
            )  # fmt: skip
        st.caption("The field keeps positions in half precision, as shipped fields do.")


def curves_csv(recording: Recording) -> bytes:
    """A row a step, a column a curve."""
    import pandas as pd

    table = {"step": range(len(recording.step_names)), "text": list(recording.step_names)}
    table |= {f"{curve.panel}: {curve.name} ({curve.unit})": curve.values.tolist()
              for curve in recording.curves}  # fmt: skip
    return pd.DataFrame(table).to_csv(index=False).encode("utf-8", "replace")


def field_zip(after: ModelField, name: str) -> bytes:
    """Both files of a field, as `python -m hsa … --field` reads them."""
    from hsa.field.checkpoint import save_field

    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.safetensors"
        save_field(after, path)
        with zipfile.ZipFile(packed, "w") as archive:
            for file in (path, path.with_suffix(".json")):
                archive.write(file, file.name)
    return packed.getvalue()


def _plain_name(run: Run) -> str:
    return (re.sub(r"[^\w.-]+", "-", run.loaded.name).strip("-") or "model") + "-adapted"
