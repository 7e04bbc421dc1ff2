"""Every page on its own, as a deep link that is the server's first request runs it."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

PAGES = sorted((Path(__file__).parents[2] / "pages").glob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_without_the_navigation(page: Path) -> None:
    app = AppTest.from_file(str(page), default_timeout=60)
    app.query_params["model"] = "minilm"
    app.run()
    assert not app.exception, app.exception
    assert len(app.title) == 1
    assert app.selectbox(key="ask-model").value == "minilm"
    assert not app.error
    (link,) = app.get("bidi_component")[:1]
    assert link.proto.component_name == "hsa_copy_link"
    assert json.loads(link.proto.json) == {"caveats": [], "bundle": False}
    drawers = [drawer for drawer in app.sidebar.expander if drawer.label == "Cost of this page"]
    assert len(drawers) == 1
    assert "Left for this process" in str(drawers[0].caption[0].value)


@pytest.mark.parametrize("length", [500, 501])
def test_a_link_says_when_it_cannot_hold_the_prompt(length: int) -> None:
    app = AppTest.from_file(str(PAGES[0].parent / "glossary.py"), default_timeout=60)
    app.query_params["text"] = "x" * length
    app.run()
    (link,) = app.get("bidi_component")
    data = json.loads(link.proto.json)
    said = data["caveats"]
    assert data["bundle"] == (length > 500), "a bundle holds what the link does not"
    assert [("too long for an address" in caveat) for caveat in said] == [True] * (length > 500)
