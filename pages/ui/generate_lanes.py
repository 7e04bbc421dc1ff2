"""The two continuations as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.generate_notices import notices

if TYPE_CHECKING:
    from hsa.inference.side_by_side import Lane, SideBySide
    from hsa.inference.speed import Speed

TAIL = 400


def lanes(run: SideBySide, prompt: str) -> None:
    """Standard attention left, HSA right."""
    left, right = st.columns(2)
    with left:
        _lane("Standard attention", run, run.standard, prompt)
    with right:
        _lane("HSA", run, run.ours, prompt)
        ledger = run.ours.program.ledger
        notices(ledger.fallbacks, tuple(ledger.notices), "while this was written")


def _lane(title: str, run: SideBySide, lane: Lane, prompt: str) -> None:
    from hsa.inference.speed import speed

    st.subheader(title, anchor=False)
    with st.container(border=True, height=260, autoscroll=True):
        st.caption("The prompt ends:" if len(prompt) > TAIL else "The prompt:")
        st.text(("…" if len(prompt) > TAIL else "") + prompt[-TAIL:])
        st.caption("goes on:")
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
    first, second = st.columns(2)
    later = took.seconds is not None
    first.metric(
        "Tokens per second",
        f"{took.per_second:.1f}" if later else "–",
        help="One over the median time of a token after the first. The two attentions take "
        "turns, a token each, so that neither is timed while the other computes.",
    )
    second.metric(
        "First token",
        f"{took.first_seconds:.2f} s",
        help="It carries the reading of the whole prompt. "
        f"There a query read {took.prompt_reads:.1f} of {took.prompt_keys:.1f} keys, on average.",
    )
    first.metric(
        "Milliseconds per token",
        f"{1000 * took.seconds:.0f}" if took.seconds is not None else "–",
        help="Median after the first token.",
    )
    second.metric(
        "Read per token",
        f"{took.reads:.1f} of {took.keys:.1f}"
        if took.reads is not None and took.keys is not None
        else "–",
        help="Near keys, splats and opened tokens, mean over layers, heads and tokens written, "
        "against the keys that standard attention reads there.",
    )
