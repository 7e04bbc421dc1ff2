"""The visitor's one piece of work in the background, and watching it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from hsa.errors import HSAError
from pages.ui import refusals
from pages.ui.background import AT_ONCE, Job

JOB = "generate-job"
POLL_SECONDS = 0.35


def start(work: Callable[[Job], None]) -> None:
    """Begin in place of whatever ran before."""
    end()
    st.session_state[JOB] = Job(work)


def end() -> None:
    """Leave what is running, if anything is."""
    running = current()
    if running is not None:
        running.abandon()
    st.session_state.pop(JOB, None)


def current() -> Job | None:
    """The visitor's work, running or ended."""
    return st.session_state.get(JOB)


def live() -> bool:
    """Whether it still runs."""
    running = current()
    return running is not None and running.live


def watched(show: Callable[[], None]) -> None:
    """Show, again and again while the work runs, and once more when it has ended.

    `show` sees only what the worker has filled; its own buttons do not rerun the whole page.
    """

    def look() -> None:
        running = current()
        if running is not None:
            running.look()
            if was_live and not running.live:
                st.rerun()
        show()

    was_live = live()
    st.fragment(look, run_every=POLL_SECONDS if was_live else None)()


def stop_button() -> None:
    """Stops the writing at once; shown only while something runs."""
    running = current()
    if running is None or not running.live:
        return
    st.button(
        "Stop",
        key="generate-stop",
        on_click=running.stop,
        disabled=running.stopped(),
        icon=None,
    )
    if running.ahead:
        st.info(
            f"Waiting: {AT_ONCE} visitors' texts are written at once on this server, and "
            f"{running.ahead} {'is' if running.ahead == 1 else 'are'} before yours."
        )


def outcome() -> None:
    """Say what went wrong, if anything did."""
    running = current()
    if running is None or running.live or running.error is None:
        return
    if isinstance(running.error, HSAError):
        refusals.show(running.error)
    else:
        raise running.error
