"""The page of functions without a browser: shipped findings, measured ones, links, portraits."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.test_compare import address, said

ROOT = Path(__file__).parents[2]


def visit(page: str = "functions", **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.switch_page(f"pages/{page}.py").run()


def test_what_ships_is_shown_at_once() -> None:
    app = visit()
    assert not app.exception and not app.error
    words = said(app)
    assert "Benjamini-Hochberg" in words and "Layer 0, head 0" in words
    assert address(app) == {}
    app.selectbox(key="ask-function").select("comma").run()
    assert address(app)["function"] == "comma"
    app.button(key="functions-best").click().run()
    assert "holds commas" in said(app) and "splat" in address(app)


def test_a_function_that_does_not_exist_is_said() -> None:
    app = visit(function="telepathy", layer="3")
    assert any("telepathy" in warning.value for warning in app.warning)
    assert not app.exception


@pytest.mark.slow
def test_a_field_without_findings_is_measured_on_a_click_and_portraits_know() -> None:
    app = visit(model="minilm", layer="1")
    assert "Nothing that was measured" in said(app)
    app.button(key="functions-measure").click().run()
    assert not app.exception and not app.error
    assert "4 texts" in said(app)
    table = app.dataframe[0].value
    best = table.iloc[0]
    assert best["share"] > best["like keys"] and best["from"] > 1 and best["q"] <= 0.05
    splat = str(int(best["splat"]))
    again = visit("portrait", model="minilm", sample="dialogue", layer="1", splat=splat)
    assert best["serves"] in said(again)
    again.button(key="portrait-reference").click().run()
    assert not again.exception
    assert any("in its sentence" in frame.value for frame in again.dataframe)
