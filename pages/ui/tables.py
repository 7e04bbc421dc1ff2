"""Column settings of the table of heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from hsa.evaluation.scores import Score

FORMATS = {"share": "percent", "nats": "%.2f", "reads": "%.1f"}


def score_columns(scores: dict[str, Score]) -> dict[str, Any]:
    """A titled, explained, sortable column per score."""
    return {
        name: st.column_config.NumberColumn(
            score.title, help=score.meaning, format=FORMATS[score.unit]
        )
        for name, score in scores.items()
    }
