"""What can be taken away: the film, its curves, the log, and the adapted field."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.take_away import file_button, in_file_name

if TYPE_CHECKING:
    from hsa.adaptation.recording import Recording
    from hsa.field.model_field import ModelField
    from pages.ui.adapt_recorded import Film
    from pages.ui.adapt_run import Run

IMAGE = {
    name: {"displaylogo": False, "displayModeBar": True,
           "toImageButtonOptions": {"format": name.lower(), "filename": "adaptation", "scale": 2}}
    for name in ("PNG", "SVG")
}  # fmt: skip
"""How a figure leaves by the camera above it."""


def film_downloads(shown: Film, step: int) -> None:
    """The film as a page of its own, its curves and events, and all as arrays."""
    from hsa.figures import adaptation_files as files
    from pages.ui.player import standalone_html

    recording = shown.recording
    name = in_file_name(recording.title)
    with st.popover("Download"):
        file_button("Film (HTML, plays without this app)", f"{name}.html",
                    lambda: standalone_html(shown.blob, recording.title).encode())  # fmt: skip
        file_button("Curves (HTML, with their SVG)", f"{name}-curves.html",
                    lambda: files.curves_html(recording, step))  # fmt: skip
        file_button("Curves (CSV)", f"{name}.csv", lambda: files.curves_csv(recording))
        file_button("Events (CSV)", f"{name}-events.csv", lambda: files.events_csv(recording))
        file_button("Curves, splats, evidence (NPZ)", f"{name}.npz",
                    lambda: files.film_npz(recording))  # fmt: skip


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
    name = f"{in_file_name(run.loaded.name)}-adapted"
    with st.popover("Download"):
        file_button("Log (replay it with python -m hsa replay)", f"{name}.log",
                    run.log.read_bytes)  # fmt: skip
        if after is not None:
            file_button("Adapted field (.safetensors and .json, zipped)", f"{name}.zip",
                        lambda: field_zip(after, name))  # fmt: skip
        st.caption("The field keeps positions in half precision, as shipped fields do.")


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
