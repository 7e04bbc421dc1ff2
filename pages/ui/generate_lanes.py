"""The two continuations as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.generate_notices import notices
from pages.ui.plain import plain

if TYPE_CHECKING:
    from hsa.inference.side_by_side import Lane, SideBySide
    from hsa.inference.speed import Speed

METRIC = 190
TAIL = 160
"""Characters of the prompt's end that are shown above what was written."""


def lanes(run: SideBySide, prompt: str) -> None:
    """Standard attention left, HSA right."""
    left, right = st.columns(2)
    with left:
        _lane("Standard attention", run, run.standard, prompt)
    with right:
        _lane("HSA", run, run.ours, prompt)
        ledger = run.ours.ledger
        notices(ledger.fallbacks, tuple(ledger.notices), "while this was written")
    if run.stage == "done":
        _compared(run)


def _compared(run: SideBySide) -> None:
    from hsa.inference.speed import times_as_long

    times = times_as_long(run.standard.written, run.ours.written)
    if times is None:
        return
    if times > 1:
        st.caption(
            f"HSA took {times:.1f} times as long per token: at this length, choosing what to "
            "read takes longer than reading the keys that it leaves out."
        )
    else:
        st.caption(f"Standard attention took {1 / times:.1f} times as long per token.")


def _lane(title: str, run: SideBySide, lane: Lane, prompt: str) -> None:
    from hsa.inference.speed import speed

    st.subheader(title, anchor=False)
    with st.container(border=True, height=240, autoscroll=True):
        st.caption(plain(("… " if len(prompt) > TAIL else "") + prompt[-TAIL:].strip()))
        st.text(lane.text or "…")
    took = speed(lane.written)
    st.caption(_count(run, lane))
    if took is not None:
        numbers(took)


def _count(run: SideBySide, lane: Lane) -> str:
    count = len(lane.written)
    words = f"{count} of at most {run.asked.most} tokens"
    if run.stage == "done" and count < run.asked.most:
        words += ", stopped" if run.stopped else ": the model ended its text"
    return words


def numbers(took: Speed) -> None:
    """Seconds and reads of what was written."""
    with st.container(horizontal=True):
        st.metric(
            "Tokens per second",
            "–" if took.per_second is None else f"{took.per_second:.1f}",
            width=METRIC,
            help="One over the median time of a token after the first. The two attentions take "
            "turns, a token each, so that neither is timed while the other computes.",
        )
        st.metric(
            "Read per token",
            f"{_short(took.reads)} of {_short(took.keys)}"
            if took.reads is not None and took.keys is not None
            else "–",
            width=METRIC,
            help="Near keys, splats and opened tokens, mean over layers, heads and tokens "
            "written, against the keys that standard attention reads there.",
        )
        st.metric(
            "Milliseconds per token",
            f"{1000 * took.seconds:.0f}" if took.seconds is not None else "–",
            width=METRIC,
            help="Median after the first token.",
        )
        st.metric(
            "First token",
            f"{took.first_seconds:.2f} s",
            width=METRIC,
            help="It carries the reading of the whole prompt. There a query read "
            f"{took.prompt_reads:.1f} of {took.prompt_keys:.1f} keys, on average.",
        )


def _short(count: float) -> str:
    return f"{count:.1f}" if count < 100 else f"{count:,.0f}"
