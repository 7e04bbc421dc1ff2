"""The run part of the page: texts, heads and settings asked for, and the run that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import adapt_run, own_field
from pages.ui.adapt_heads import head_controls
from pages.ui.adapt_live import live
from pages.ui.adapt_settings import settings_controls
from pages.ui.adapt_texts import text_controls

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from pages.ui.engine import ReadyField

LEAST_TEXTS = 2


def begin(loaded: LoadedModel, ready: ReadyField) -> None:
    """A run that goes on, or was made, and the controls for the next."""
    run = adapt_run.current()
    if run is not None:
        live(run)
        if run.going:
            return
        st.divider()
    st.markdown(
        "Choose texts; the field of a few heads reads them one after the other. Splats are born, "
        "divide, merge, die and drift where their evidence says so, and what makes texts worse "
        "that are held to judge on is rolled back."
    )
    given = text_controls()
    heads = head_controls(ready)
    settings = settings_controls()
    missing = None
    if len(given.texts) < LEAST_TEXTS:
        missing = (
            f"A run needs {LEAST_TEXTS} texts or more: the first is held to judge on. Choose "
            "samples, or paste or upload some."
        )
    elif not heads:
        missing = "Choose a layer and a key/value head that may change."
    label = "Adapt the field" if run is None else "Adapt anew"
    count = len(given.texts)
    with st.container(horizontal=True, vertical_alignment="center"):
        clicked = st.button(
            label, type="primary", key="adapt-run", disabled=bool(missing) or settings is None
        )
        if missing is None:
            st.caption(
                f"{count} texts, {len(heads)} heads; "
                f"from {'your own' if own_field.of(loaded.fingerprint) else 'the shared'} field."
            )
    if missing:
        st.info(missing)
    elif clicked and settings is not None:
        adapt_run.start(loaded, ready, heads, settings, given.texts, given.kept)
        st.rerun()
