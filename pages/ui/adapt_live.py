"""A run as it goes on: where it is, what it measures, what happened last; and stopping it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.adapt_outcome import outcome
from pages.ui.background import AT_ONCE
from pages.ui.plain import plain

if TYPE_CHECKING:
    from hsa.adaptation.lineage import StepRecord
    from pages.ui.adapt_run import Run

POLL_SECONDS = 0.5
NEWEST = 10
METRIC = 170


def live(run: Run) -> None:
    """Show the run, twice a second while it goes on, and the whole page once it has ended."""
    was_going = run.going

    def look() -> None:
        if run.job is not None:
            run.job.look()
        if was_going and not run.going:
            st.rerun()
        _show(run)

    st.fragment(look, run_every=POLL_SECONDS if was_going else None)()
    if not was_going:
        outcome(run)


def _show(run: Run) -> None:
    from hsa.adaptation.step import tally

    records = run.records
    if run.going:
        _progress(run)
    if not records:
        return
    last = {record.layer: record for record in records}
    errors = [
        _mean([head.step.error for r in records if r.number == number for head in r.heads])
        for number in sorted({record.number for record in records})
    ]
    counts = tally(head.step for record in records for head in record.heads)
    splats = [sum(head.step.splats[level] for r in last.values() for head in r.heads)
              for level in range(3)]  # fmt: skip
    with st.container(horizontal=True):
        st.metric(
            "Error on the text read", f"{errors[-1]:.1%}", width=METRIC,
            chart_data=errors, help="Relative output error of the heads that adapt, mean; "
            "measured on each text before anything is learned from it. The line has a point a "
            "text.",
        )  # fmt: skip
        st.metric("Edits kept", f"{counts[True].total():,}", width=METRIC,
                  help=plain(_words(counts[True]) or "none yet"))  # fmt: skip
        st.metric("Rolled back", f"{counts[False].total():,}", width=METRIC,
                  help="Edits of events that made the held texts worse.")  # fmt: skip
        for name, count in zip(("Documents", "Sections", "Phrases"), splats, strict=True):
            st.metric(name, f"{count:,}", width=110, help="Of all heads that adapt.")
    _events(records)


def _progress(run: Run) -> None:
    count = len(run.texts)
    if run.number:
        done = {record.layer for record in run.records if record.number == run.number}
        layers = sorted({layer for layer, _ in run.heads})
        at = next((layer for layer in layers if layer not in done), layers[-1])
        part = (run.number - 1 + len(done) / len(layers)) / count
        name = run.texts[run.number - 1].name
        sentence = f"Text {run.number} of {count}: {name}, layer {at}"
    else:
        part, sentence = 0.0, "Starting"
    st.progress(min(part, 1.0), text=plain(sentence))
    if run.job is None:
        return
    asked = run.job.stopped()
    st.button("Stopping …" if asked else "Stop", key="adapt-stop", on_click=run.job.stop,
              disabled=asked)  # fmt: skip
    if run.job.ahead:
        st.info(
            f"Waiting for its turn: this server works for {AT_ONCE} visitors at once, and "
            f"{run.job.ahead} must end before this run begins."
        )


def _events(records: tuple[StepRecord, ...]) -> None:
    """The newest events, a line each."""
    lines: list[dict[str, str]] = []
    for record in reversed(records):
        for head in record.heads:
            for trial in head.step.trials:
                kinds = Counter(edit.kind for edit in trial.edits())
                lines.append(
                    {
                        "text": f"{record.number} · {record.text}",
                        "head": f"layer {record.layer}, head {head.group}",
                        "event": _words(kinds),
                        "objective": f"{trial.objective[0]:.4f} → {trial.objective[1]:.4f}",
                        "verdict": "accepted" if trial.accepted else "rolled back",
                    }
                )
        if len(lines) >= NEWEST:
            break
    if lines:
        st.caption("The newest events, and the error on held texts before and after each")
        st.dataframe(lines[:NEWEST], hide_index=True, height=36 * min(len(lines), NEWEST) + 38)


MANY = {"birth": "births", "mitosis": "mitoses", "merge": "merges", "death": "deaths",
        "drift": "drifts"}  # fmt: skip


def _words(kinds: Counter[str]) -> str:
    return ", ".join(
        f"{count} {kind if count == 1 else MANY.get(kind, kind)}" for kind, count in kinds.items()
    )


def _mean(values: list[float]) -> float:
    return sum(values) / max(len(values), 1)
