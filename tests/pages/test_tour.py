"""The tour without a browser: five steps, each of which goes where it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.frame import PAGES
from pages.ui.terms import entry, glossary, means
from pages.ui.tour import STEPS
from tests.pages.test_compare import address, said

ROOT = Path(__file__).parents[2]


def visit(page: str = "pages/glossary.py") -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["model"] = "minilm"
    app.query_params["text"] = "my own text"
    app.query_params["reads"] = "77"
    return app.run().switch_page(page).run()


def test_it_begins_when_asked_keeps_its_step_and_is_left() -> None:
    app = visit()
    assert "Tour, " not in said(app)
    app.button(key="tour-begin").click().run()
    assert "Tour, 1 of 5" in said(app) and app.button(key="tour-back").disabled
    for number in range(2, 6):
        app.button(key="tour-next").click().run()
        assert f"Tour, {number} of 5" in said(app)
    assert app.button(key="tour-next").disabled
    app = app.switch_page("pages/library.py").run()
    assert "Tour, 5 of 5" in said(app), "the step is kept from page to page"
    assert address(app)["text"] == "my own text", "to read of a step chooses nothing"
    app.button(key="tour-leave").click().run()
    assert "Tour, " not in said(app) and app.button(key="tour-begin")


@pytest.mark.parametrize("number", [2, 4])
def test_take_me_there_chooses_and_goes(number: int) -> None:
    """Step 4 on its page; 2 is where HSA errs, as its sentence says."""
    app = visit()
    app.session_state["kept-tour-step"] = number
    app.run()
    app.button(key="tour-go").click().run()
    words = said(app)
    assert not app.error and not app.warning
    assert app.title[0].value == PAGES[STEPS[number].file]
    assert f"Tour, {number + 1} of 5" in words
    if number == 2:
        assert address(app) == {
            "sample": "repeat", "reads": "8", "layer": "18", "head": "7", "cell": "43,14",
        }  # fmt: skip
        assert "Output error of HSA **19.9%**" in words
        assert words.count("✓ passed") == 3


def test_help_texts_are_the_glossary_s() -> None:
    for title in ("Splat", "Reads", "Near tokens", "Level", "Cut", "Mass", "Tilt"):
        assert entry(title).meaning in means(title)
        assert means(title).endswith(f"(./glossary#{entry(title).anchor})")
    anchors = [found.anchor for entries in glossary().values() for found in entries]
    assert len(set(anchors)) == len(anchors) and all(anchors)
    app = visit()
    assert entry("Tilt").meaning in said(app)
