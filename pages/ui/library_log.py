"""A log that was opened: what it tells of, and every step of it rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from hsa.errors import HSAError
from pages.ui import cost, given_log
from pages.ui.frame import go_to
from pages.ui.plain import plain
from pages.ui.refusals import show as show_refusal
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.sharing.given_file import GivenLog


def show(given: GivenLog) -> None:
    """What it is, and the button that rebuilds it."""
    from hsa.adaptation.step import tally

    log = given.log
    counts = tally(log.head_steps())
    accepted = ", ".join(f"{count} {kind}" for kind, count in sorted(counts[True].items()))
    st.markdown(
        plain(
            f"The log of an adaptation of {log.start.model} ({log.start.fingerprint[:12]}): "
            f"{log.last_step} texts in {len(log.start.heads)} heads, "
            f"{'finished' if log.finished else 'not finished'}. Accepted: {accepted or 'nothing'}; "
            f"rolled back: {counts[False].total()}."
        )
    )
    st.caption(plain("Texts, by their names: " + ", ".join(n for n, _ in log.start.texts[:20])))
    if given_log.current() is given:
        st.success("Every step came out as its checksum says.")
        if st.button("Watch it on Adapt", key="library-watch", type="primary"):
            _watch()
    elif st.button("Rebuild every step", key="library-rebuild", type="primary"):
        try:
            _rebuild(given)
        except HSAError as refusal:
            show_refusal(refusal)
        else:
            st.rerun()


def _rebuild(given: GivenLog) -> None:
    from hsa.sharing.given_file import rebuild

    with waiting() as progress, cost.current().step("Rebuilding a log"):
        progress("Rebuilding every step from the shipped field", None)
        rebuild(given, given_log.fields_before(given))
    given_log.use(given)


def _watch() -> None:
    from pages.ui.adapt_watch import show_source

    show_source("given")
    go_to("pages/adapt.py")
