"""A comparison as one page: complete, and whatever a token holds is text in it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.attention.views import into_layer
from hsa.evaluation.agreement import compare_head
from hsa.figures.comparison_report import ComparisonReport, comparison_html
from tests.attention.random_layers import random_layer

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=y>&amp;\n\u202e"


@pytest.fixture(scope="module")
def given() -> ComparisonReport:
    activations, field = random_layer(3, 90, 1, 1)
    result = attend(activations, field, Spending(torch.full((1,), 8)))
    layer = into_layer(activations, field)
    strings = tuple(HOSTILE if at % 3 == 0 else f" w{at}" for at in range(90))
    return ComparisonReport(
        f"a head {HOSTILE}", HOSTILE, strings, result, layer, compare_head(result, layer, 0),
        (("model", HOSTILE),), (("hsa", HOSTILE),), (77, 9), "weight", "gamma", True, False,
    )  # fmt: skip


def test_it_holds_everything_and_plotly_once(given: ComparisonReport) -> None:
    page = comparison_html(given).decode()
    body = page.split("</head>", 1)[1]
    for said in ("Checks", "passed", "D · S · P · t =", "Agreement, row by row", "Made with"):
        assert said in body
    assert body.count("Plotly.newPlot") == 5 and "FAILED" not in body
    assert page.count("plotly.js v") == 1, "the library stands in it once"
    assert len(page) < 7_000_000


def test_tokens_are_text_and_nothing_is_fetched(given: ComparisonReport) -> None:
    page = comparison_html(given).decode()
    body = page.split("</head>", 1)[1]
    assert "<script>window.hacked" not in page and "<img" not in body
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", body)


def test_without_a_cell_and_with_too_many_tokens_it_says_so(
    given: ComparisonReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsa.figures.comparison_report.MOST_TOKENS", 50)
    body = comparison_html(replace(given, cell=None)).decode().split("</head>", 1)[1]
    assert "Maps are drawn for up to 50 tokens; this text has 90." in body
    assert "Checks" not in body and body.count("Plotly.newPlot") == 1
