"""Numbers and tokens of a case beside those of the pinned reference, as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from hsa.evaluation.paired_number import PairedNumber, Unit
from hsa.evaluation.paired_portrait import PairedToken
from hsa.figures.token_label import token_label

SUFFIXES: dict[Unit, str] = {"nats": " nats", "logits": " logits"}


def paired_table(numbers: Sequence[PairedNumber]) -> pd.DataFrame:
    """A row a number: this case, the reference, case - reference, and what it is."""
    return pd.DataFrame(
        {
            "number": [of.title for of in numbers],
            "this case": [written(of.case, of.unit) for of in numbers],
            "reference": [written(of.reference, of.unit) for of in numbers],
            "difference": [written_difference(of.difference, of.unit) for of in numbers],
            "what it is": [of.meaning for of in numbers],
        }
    )


def paired_tokens_table(tokens: Sequence[PairedToken]) -> pd.DataFrame:
    """A row a token that either holds."""
    return pd.DataFrame(
        {
            "token": [token_label(of.token) for of in tokens],
            "case": [of.case_count for of in tokens],
            "reference": [of.reference_count for of in tokens],
            "case_received": [of.case_received for of in tokens],
            "reference_received": [of.reference_received for of in tokens],
        }
    )


def written(value: float, unit: Unit) -> str:
    """A value with its unit."""
    if math.isnan(value):
        return "–"
    if unit == "share":
        return f"{100 * value:.3g}%"
    if unit == "count":
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    return f"{value:.3g}{SUFFIXES.get(unit, '')}"


def written_difference(value: float, unit: Unit) -> str:
    """A difference, signed; of shares in points of a percent."""
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    if unit == "share":
        return f"{100 * value:+.3g} points"
    if unit == "count":
        return f"{value:+,.0f}" if value == int(value) else f"{value:+,.1f}"
    return f"{value:+.3g}{SUFFIXES.get(unit, '')}"
