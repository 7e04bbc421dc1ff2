"""The start page in a real browser: clicks, the address, and what a reload brings back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.pages.conftest import settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CELL = """([layer, head]) => {
  const graph = document.querySelector('.js-plotly-plot');
  const box = graph.getBoundingClientRect();
  const { _size: size, xaxis, yaxis } = graph._fullLayout;
  return [box.left + size.l + xaxis.d2p(head), box.top + size.t + yaxis.d2p(layer)];
}"""


def click_cell(tab: Page, layer: int, head: int) -> None:
    tab.wait_for_selector(".js-plotly-plot .heatmaplayer", state="attached")
    x, y = tab.evaluate(CELL, [layer, head])
    tab.mouse.move(x, y)
    tab.wait_for_selector(".hoverlayer .hovertext")
    tab.mouse.click(x, y)
    tab.wait_for_url(re.compile(rf"layer={layer}&head={head}(&|$)"))
    settled(tab)


def test_a_click_on_the_grid_chooses_the_head_and_a_reload_keeps_it(
    tab: Page, app_address: str
) -> None:
    tab.goto(f"{app_address}/?model=minilm&sample=repeat")
    settled(tab)
    for layer, head in ((5, 11), (2, 10), (1, 3)):
        click_cell(tab, layer, head)
    tab.get_by_role("button", name="Show the worst head").click()
    settled(tab)
    click_cell(tab, 1, 3)
    tab.reload()
    settled(tab)
    tab.get_by_text("Compare layer 1, head 3").wait_for()


def test_typed_text_is_read_and_shown_as_text(tab: Page, app_address: str) -> None:
    tab.goto(f"{app_address}/?model=minilm")
    settled(tab)
    tab.get_by_text("Pick a sample above").wait_for()
    hostile = '<img src=x onerror="window.hacked=1"> **bold** :red[x] $x^2$ مرحبا 🌍'
    tab.get_by_role("textbox", name="Prompt").fill(hostile)
    tab.get_by_role("textbox", name="Prompt").press("Control+Enter")
    settled(tab)
    tab.get_by_text("tokens, as all-MiniLM-L6-v2 reads them").wait_for()
    assert tab.evaluate("window.hacked") is None
    tab.reload()
    settled(tab)
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(tab.get_by_role("textbox", name="Prompt")).to_have_value(hostile)


def test_a_deep_link_opens_without_the_start_page(tab: Page, app_address: str) -> None:
    tab.goto(f"{app_address}/glossary?model=minilm")
    settled(tab)
    assert tab.locator("h1").inner_text() == "What the words mean"
    tab.get_by_role("link", name="Explore").click()
    tab.wait_for_url(re.compile(r"/\?model=minilm$"))
