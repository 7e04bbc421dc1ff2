"""The walk of a visitor: a prompt, a head, a cell, its product, and the same after a reload."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.pages.conftest import WORK_MILLISECONDS, settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PROMPT = "The Eiffel Tower stands in Paris, and the Colosseum stands in Rome."


def painted(tab: Page) -> None:
    tab.locator('.figure[data-ready="true"]').wait_for(timeout=WORK_MILLISECONDS)
    settled(tab)


def click_cell(tab: Page, query: int, key: int, panel: int = 0) -> None:
    """Click where the figure says that this cell is drawn, and wait for what it brings."""
    figure, stage = tab.locator(".figure"), tab.locator(".stage")
    stage.scroll_into_view_if_needed()
    x, y, _, _ = json.loads(figure.get_attribute("data-panels") or "")[panel]
    view = (figure.get_attribute("data-view") or "").split(",")
    left, top, width, height = (float(part) for part in view)
    box = stage.bounding_box()
    assert box is not None
    tab.mouse.click(
        box["x"] + x + (key + 0.5 - left) * width, box["y"] + y + (query + 0.5 - top) * height
    )
    tab.wait_for_url(re.compile(rf"cell={query}%2C{key}(&|$)"))
    tab.get_by_role("heading", name=f"Why query {query} ").wait_for()
    settled(tab)


def selected(tab: Page) -> str | None:
    return tab.locator(".figure").get_attribute("data-selected")


def test_prompt_compare_click_product_reload(tab: Page, app_address: str) -> None:
    tab.goto(app_address)
    settled(tab)
    box = tab.get_by_role("textbox", name="Prompt")
    box.fill(PROMPT)
    box.press("Control+Enter")
    tab.wait_for_url(re.compile("text="))
    settled(tab)
    tab.get_by_role("link", name="Compare a head").click()
    painted(tab)
    tab.get_by_role("button", name="layer →").click()
    tab.get_by_role("heading", name="layer 1, head 0").wait_for()
    painted(tab)

    for query, key, panel in ((9, 4, 0), (14, 2, 1), (12, 6, 2)):
        click_cell(tab, query, key, panel)
        assert selected(tab) == f"{query},{key}"
        assert tab.get_by_text("✓ passed").count() == 3
    product = tab.get_by_text("D·S·P·t =").inner_text()

    tab.reload()
    painted(tab)
    assert selected(tab) == "12,6"
    tab.get_by_role("heading", name="Why query 12 ").wait_for()
    assert tab.get_by_text("D·S·P·t =").inner_text() == product

    tab.locator(".stage").focus()
    tab.keyboard.press("Escape")
    tab.get_by_text("Click a cell in a map").wait_for()
    settled(tab)
    assert "cell=" not in tab.url and selected(tab) == ""


def test_tokens_are_text_everywhere(tab: Page, app_address: str) -> None:
    hostile = '<img src=x onerror="window.hacked=1"> **bold** :red[x] $x^2$ </b> مرحبا 🌍 again'
    tab.goto(f"{app_address}/?model=minilm")
    settled(tab)
    box = tab.get_by_role("textbox", name="Prompt")
    box.fill(hostile)
    box.press("Control+Enter")
    tab.wait_for_url(re.compile("text="))
    settled(tab)
    tab.get_by_role("link", name="Compare a head").click()
    painted(tab)
    for query in (1, 5, 9):
        click_cell(tab, query, 2)
    tab.get_by_text("Rank near tokens too").click()
    settled(tab)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator('img[src="x"]').count() == 0
    assert tab.locator(".katex").count() == 0, "a dollar sign is no formula"


def test_a_click_on_the_curves_moves_to_that_row(tab: Page, app_address: str) -> None:
    tab.goto(f"{app_address}/compare?model=minilm&sample=dialogue&layer=2&cell=3,4")
    painted(tab)
    curves = tab.locator(".js-plotly-plot").filter(has_text="total variation")
    curves.scroll_into_view_if_needed()
    x, y = curves.evaluate(
        """graph => {
          const { xaxis, yaxis } = graph._fullLayout, box = graph.getBoundingClientRect();
          return [box.left + xaxis._offset + xaxis.d2p(20),
                  box.top + yaxis._offset + yaxis.d2p(graph._fullData[0].y[20])];
        }"""
    )
    tab.mouse.move(x, y)
    curves.locator(".hoverlayer .hovertext").first.wait_for()
    tab.mouse.click(x, y)
    tab.wait_for_url(re.compile("cell=20%2C"))
    settled(tab)
    assert (selected(tab) or "").startswith("20,")
