"""A visitor's work in the background, and watching it from a page."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from hsa.errors import HSAError
from pages.ui import refusals
from pages.ui.background import AT_ONCE, Job

POLL_SECONDS = 0.35
_NAMES = ("continue", "chat")


class Place:
    """One view's work; a visitor has at most one going on over all views."""

    def __init__(self, name: str) -> None:
        assert name in _NAMES
        self._key = f"generate-job-{name}"

    @property
    def job(self) -> Job | None:
        """The work, running or ended."""
        return st.session_state.get(self._key)

    @property
    def live(self) -> bool:
        """Whether it still runs."""
        return self.job is not None and self.job.live

    @property
    def failed(self) -> bool:
        """Whether it ended with an error, which `outcome` shows."""
        return self.job is not None and not self.job.live and self.job.error is not None

    def start(self, work: Callable[[Job], None]) -> None:
        """Begin, in place of whatever this visitor had running."""
        self.end()
        st.session_state[self._key] = Job(work)

    def end(self) -> None:
        """Leave what is running, here or in the other view."""
        for name in _NAMES:
            running = st.session_state.get(f"generate-job-{name}")
            if running is not None:
                running.abandon()
        st.session_state.pop(self._key, None)

    def watch(self, show: Callable[[], None]) -> None:
        """Show, again and again while the work runs, and the whole page once it has ended."""
        was_live = self.live

        def look() -> None:
            if self.job is not None:
                self.job.look()
            if was_live and not self.live:
                st.rerun()
            show()

        st.fragment(look, run_every=POLL_SECONDS if was_live else None)()

    def stop_button(self) -> None:
        """Stops the writing; says so where the work still waits for its turn."""
        if self.job is None or not self.live:
            return
        asked = self.job.stopped()
        st.button(
            "Stopping …" if asked else "Stop",
            key=f"{self._key}-stop",
            on_click=self.job.stop,
            disabled=asked,
        )
        if self.job.ahead:
            st.info(
                f"Waiting for its turn: this server writes {AT_ONCE} texts at once, and "
                f"{self.job.ahead} must end before this one begins."
            )

    def skip_button(self) -> None:
        """Ends what follows the writing."""
        if self.job is not None and self.live:
            st.button(
                "Skip", key=f"{self._key}-skip", on_click=self.job.abandon,
                disabled=self.job.abandoned(),
            )  # fmt: skip

    def outcome(self) -> None:
        """Say what went wrong, if anything did."""
        if self.job is None or not self.failed:
            return
        error = self.job.error
        if isinstance(error, HSAError):
            refusals.show(error)
        elif error is not None:
            raise error
