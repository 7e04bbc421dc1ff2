"""Where the splat came from and what was tried with it, where a log is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import adapt_recorded, adapt_run
from pages.ui.plain import plain
from pages.ui.portrait_view import SplatView
from pages.ui.refusals import refusals

if TYPE_CHECKING:
    from hsa.adaptation.recording import Recording

NO_LOG = (
    "No log is at hand for this head. The shipped field was fitted at once and keeps no history; "
    "adapt it on the Adapt page, or choose a head of the recorded run there."
)


def lineage(view: SplatView) -> None:
    """Its history in words, read from the log when the part is opened."""
    opened = st.expander("Lineage", on_change="rerun", key="portrait-lineage")
    if not opened.open:
        return
    with opened, refusals():
        source, found = _recording(view)
        if found is None:
            st.caption(NO_LOG)
            return
        from hsa.adaptation.film_words import history

        st.caption(source)
        if view.shown.splat_id not in found.splat_id.tolist():
            st.caption("The log says nothing of this splat.")
            return
        for sentence in history(found, view.shown.splat_id):
            st.markdown(plain(sentence))


def _recording(view: SplatView) -> tuple[str, Recording | None]:
    """The visitor's own run where this field came of it, or the run that ships."""
    asked = view.asked
    group = view.head // (asked.loaded.query_heads // asked.loaded.key_value_heads)
    run = adapt_run.current()
    if run is not None and run.adapted is asked.ready and (view.layer, group) in run.heads:
        return run.about, run.film(view.layer, group).recording
    if asked.ready.origin == "shipped" and adapt_recorded.LOG.is_file():
        log = adapt_recorded.recorded_log()
        heads = [(layer, of) for layer, of, _ in log.start.heads]
        same = log.start.fingerprint == asked.loaded.fingerprint
        if same and (view.layer, group) in heads:
            film = adapt_recorded.recorded_film(log, view.layer, group)
            return "In the run that ships, which began from this field:", film.recording
    return "", None
