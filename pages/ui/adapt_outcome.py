"""A run that has ended: what came of it, and what to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from hsa.errors import HSAError
from pages.ui import choices, own_field, refusals
from pages.ui.adapt_export import run_downloads
from pages.ui.adapt_watch import show_own
from pages.ui.plain import plain

if TYPE_CHECKING:
    from pages.ui.adapt_run import Run


def outcome(run: Run) -> None:
    """What came of it, and what to do with it."""
    error = run.job.error if run.job is not None else None
    if isinstance(error, HSAError):
        refusals.show(error)
        return
    if error is not None:
        raise error
    if run.passed_over:
        names = ", ".join(run.passed_over[:8]) + (", …" if len(run.passed_over) > 8 else "")
        st.warning(plain(f"Passed over, since they have too few tokens: {names}."))
    if run.after is None:
        st.info("Stopped before its turn came.")
        return
    read = len({record.number for record in run.records})
    events = sum(bool(head.step.trials) for r in run.records for head in r.heads)
    end = "Stopped" if run.stage == "stopped" else "Done"
    st.success(plain(f"{end}: {read} of {len(run.texts)} texts read."))
    if read and not events:
        st.info(
            plain(
                "No event was due, so the field is as it was. An event needs a text that is not "
                f"held ({run.settings.hold_every - 1} in {run.settings.hold_every} are not) and "
                f"{run.settings.every_tokens:,} tokens since the last one; give more texts, or "
                "set “every tokens” lower."
            )
        )
    _next(run)


def _next(run: Run) -> None:
    used = own_field.of(run.loaded.fingerprint)
    is_used = used is not None and used is run.adapted
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.records:
            st.button("Watch the film", type="primary", key="adapt-watch", on_click=show_own)
        st.button("Before and after on a prompt", key="adapt-gain", on_click=choices.PART.choose,
                  args=("gain",))  # fmt: skip
        st.button(
            "Used on every page" if is_used else "Use this field on every page",
            key="adapt-use", disabled=is_used, on_click=_use, args=(run,),
        )  # fmt: skip
        run_downloads(run)


def _use(run: Run) -> None:
    own_field.use(run.loaded.fingerprint, run.outcome())
