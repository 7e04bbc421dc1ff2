"""The page of health without a browser: looked over, a flag chosen, an edit tried and kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.test_compare import address, said

ROOT = Path(__file__).parents[2]


def visit(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in {"model": "minilm", **parameters}.items():
        app.query_params[name] = value
    return app.switch_page("pages/health.py").run()


@pytest.mark.slow
def test_a_layer_is_looked_over_and_an_edit_is_tried_and_kept() -> None:
    app = visit(layer="1", head="2")
    assert "Nothing is known of this layer yet" in said(app)
    app.button(key="health-look").click().run()
    assert not app.exception and not app.error
    assert "the one that errs most first" in said(app)
    heads = app.dataframe[0].value
    assert heads["error"].is_monotonic_decreasing and len(heads) == 12
    splat = int(app.dataframe[1].value["splat"].iloc[0].split()[1])
    linked = visit(layer="1", head="2", splat=str(splat))
    assert address(linked)["splat"] == str(splat)
    linked.segmented_control(key=f"health-change-{splat}").set_value("retire").run()
    linked.button(key="health-try").click().run()
    assert not linked.exception and not linked.error
    metrics = {str(of.label): str(of.value) for of in linked.metric}
    assert metrics["Error before"].endswith("%") and float(metrics["Reads after"]) > 0
    linked.button(key="health-keep").click().run()
    assert not linked.exception
    assert "that you adapted" in said(linked) and "splat" not in address(linked)


def test_a_splat_that_is_not_there_leaves_the_page_sound() -> None:
    app = visit(layer="1", head="2", splat="99999999")
    assert "There is no splat 99999999 in layer 1, key/value head 2" in said(app)
    assert "splat" not in address(app)
