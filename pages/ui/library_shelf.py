"""What lies here: fields that ship, recorded adaptations, and what this visitor made."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from hsa.errors import HSAError
from pages.ui import adapt_run, own_field, refusals
from pages.ui.adapt_export import field_zip
from pages.ui.adapt_recorded import LOG
from pages.ui.plain import plain

if TYPE_CHECKING:
    from pages.ui.engine import ReadyField

BINARY = "application/octet-stream"
BYTES = {name: st.column_config.NumberColumn(format="localized")
         for name in ("bytes", "tokens read", "positions")}  # fmt: skip


def shelf() -> None:
    """Tables, each with what can be taken away."""
    st.subheader("Fields that ship with the app", anchor=False)
    _shipped_fields()
    st.subheader("Recorded adaptations", anchor=False)
    _recordings()
    st.subheader("Yours, in this session", anchor=False)
    _own()


def _shipped_fields() -> None:
    from hsa.field.checkpoint import description
    from hsa.field.shipped import FOLDER

    rows: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.safetensors")):
        try:
            about = description(path.with_suffix(".json").read_bytes(), path.name)
        except (HSAError, OSError) as trouble:
            st.error(plain(f"{path.name}: {trouble}"))
            continue
        rows.append(
            {
                "model": about["model"], "file": path.name, "bytes": path.stat().st_size,
                "checksum": about["sha256"][:16], "model's fingerprint": about["fingerprint"][:16],
                "fitted on": ", ".join(source["name"] for source in about["fitted_on"]),
                "tokens read": sum(source["tokens"] for source in about["fitted_on"]),
                "positions": about["positions"],
            }
        )  # fmt: skip
    st.dataframe(rows, hide_index=True, key="library-fields", column_config=BYTES)
    with st.popover("Download a field"):
        for row in rows:
            _button(f"{row['model']} (.safetensors and .json, zipped)", f"{row['model']}.zip",
                    lambda file=FOLDER / row["file"]: _zipped(file))  # fmt: skip


def _recordings() -> None:
    from hsa.adaptation.replay import read_log

    rows: list[dict[str, Any]] = []
    for path in sorted(LOG.parent.glob("*.log")):
        try:
            log = read_log(path)
        except HSAError as refusal:
            refusals.show(refusal)
            continue
        rows.append(
            {
                "log": path.name, "model": log.start.model, "bytes": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:16],
                "texts": log.last_step, "heads": len(log.start.heads),
                "made from": ", ".join(name for name, _ in log.start.texts),
                "not to be forgotten": ", ".join(name for name, _ in log.start.kept),
            }
        )  # fmt: skip
    st.dataframe(rows, hide_index=True, key="library-logs", column_config=BYTES)
    with st.popover("Download a log"):
        for row in rows:
            file = LOG.parent / row["log"]
            _button(row["log"], row["log"], file.read_bytes)


def _own() -> None:
    fields, run = own_field.all_in_use(), adapt_run.current()
    if not fields and (run is None or not run.log.is_file()):
        st.caption(
            "Nothing yet. A field that you adapt on Adapt, or open here and use, is listed until "
            "you leave; so is your last run's log."
        )
        return
    for number, ready in enumerate(fields):
        _own_field(ready, number)
    if run is not None and run.log.is_file():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                plain(
                    f"Log of your run: {run.loaded.title}, {len(run.texts)} texts, "
                    f"{run.log.stat().st_size:,} bytes, {run.stage}."
                )
            )
            _button("Download the log", "adaptation.log", run.log.read_bytes)


def _own_field(ready: ReadyField, number: int) -> None:
    field = ready.field
    splats = sum(head.splats for heads in field.heads for head in heads)
    tokens = sum(source.tokens for source in field.fitted_on)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            plain(
                f"Field of {field.model}, {ready.origin}: {splats:,} splats, fitted on "
                f"{len(field.fitted_on)} texts and {tokens:,} tokens; content "
                f"{ready.identity[:16]}. In use on every page."
            )
        )
        st.button("Stop using it", key=f"library-leave-{number}", on_click=own_field.leave,
                  args=(field.fingerprint,))  # fmt: skip
        _button("Download the field", f"field-{number}.zip", lambda: field_zip(field, "field"))


def _button(label: str, name: str, make: Any) -> None:
    mime = "application/zip" if name.endswith(".zip") else BINARY
    st.download_button(label, make, name, mime, on_click="ignore", key=f"library-{label}-{name}")


def _zipped(file: Path) -> bytes:
    """Both files of a field, as the upload above takes them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for half in (file, file.with_suffix(".json")):
            archive.write(half, half.name)
    return packed.getvalue()
