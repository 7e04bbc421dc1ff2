"""Real clicks in a real browser reach Python as the cells that were meant."""

import json
import math
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

SCRIPT = """
import numpy as np
import streamlit as st
from pages.ui.heatmap import Panel, encode, linked_heatmaps

st.set_page_config(layout="wide")
size = int(st.query_params["size"])
hostile = '<img src=x onerror="window.hacked=1">'
tokens = [hostile if at % 4 == 1 else f" word{at}" for at in range(size)]

@st.cache_resource(max_entries=3)
def blob(size):
    weights = np.tril(np.random.default_rng(0).random((size, size), dtype=np.float32))
    weights[-2, 1] = 40.0
    panels = [
        Panel(hostile, weights, "sequential", hostile, note=hostile),
        Panel("HSA", weights * 0.5, "sequential", "weight"),
        Panel("HSA − standard", weights * -0.5, "diverging", "weight"),
    ]
    return encode(panels, tokens, tokens)

def choose():
    st.session_state["map"] = (st.session_state["query"], 0)

cell = linked_heatmaps((), tokens, tokens, key="map", blob=blob(size))
st.text(f"cell={cell}")
st.number_input("query", 0, size - 1, key="query", on_change=choose)
st.button("again")
"""


@pytest.fixture(scope="module")
def address(script_address):
    return script_address("heatmap", SCRIPT)


class Map:
    """The figure as a visitor meets it."""

    def __init__(self, page, address: str, size: int) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{address}/?size={size}")
        self.figure = page.locator(".figure")
        self.stage = page.locator(".stage")
        page.locator('.figure[data-ready="true"]').wait_for()
        self.settled()

    def settled(self) -> None:
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()

    def view(self) -> list[float]:
        return [float(part) for part in self.figure.get_attribute("data-view").split(",")]

    def painted(self) -> None:
        """What the browser was told before is on the canvas, and in its attributes."""
        self.page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def await_cell_width(self, pixels: float) -> None:
        self.page.wait_for_function(
            "([figure, pixels]) => Math.abs(figure.dataset.view.split(',')[2] / pixels - 1) < 0.01",
            arg=[self.figure.element_handle(), pixels],
        )

    def panels(self) -> list[list[float]]:
        return json.loads(self.figure.get_attribute("data-panels"))

    def point(self, query: float, key: float, panel: int = 0) -> tuple[float, float]:
        x, y, _, _ = self.panels()[panel]
        left, top, width, height = self.view()
        box = self.stage.bounding_box()
        return (
            box["x"] + x + (key + 0.5 - left) * width,
            box["y"] + y + (query + 0.5 - top) * height,
        )

    def click(self, query: int, key: int, panel: int = 0) -> None:
        self.page.mouse.click(*self.point(query, key, panel))

    def expect(self, cell: tuple[int, int] | None) -> None:
        sync_api.expect(self.page.get_by_text(f"cell={cell}", exact=True)).to_be_visible()
        selected = "" if cell is None else f"{cell[0]},{cell[1]}"
        sync_api.expect(self.figure).to_have_attribute("data-selected", selected)
        self.settled()


@pytest.fixture
def open_map(browser, address):
    opened = []

    def open_one(size: int) -> Map:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(20_000)
        opened.append(Map(page, address, size))
        return opened[-1]

    yield open_one
    for shown in opened:
        assert shown.errors == []
        shown.page.close()


def test_clicks_keys_and_select_boxes_agree(open_map):
    shown = open_map(12)
    for query, key, panel in [(0, 0, 0), (11, 3, 0), (7, 7, 1), (10, 1, 2), (11, 11, 2)]:
        shown.click(query, key, panel)
        shown.expect((query, key))

    shown.click(2, 9)  # above the diagonal: nothing to choose
    shown.expect((11, 11))
    shown.page.keyboard.press("ArrowUp")  # would leave the triangle
    shown.page.keyboard.press("ArrowLeft")
    shown.expect((11, 10))
    shown.page.keyboard.press("ArrowUp")
    shown.expect((10, 10))

    shown.page.get_by_label("query", exact=True).fill("5")
    shown.page.keyboard.press("Enter")
    shown.expect((5, 0))
    shown.page.get_by_role("button", name="again").click()  # a stale click must not come back
    shown.expect((5, 0))

    shown.stage.focus()
    shown.page.keyboard.press("Escape")
    shown.expect(None)
    shown.page.mouse.move(*shown.point(9, 4))
    shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("Enter")
    shown.expect((10, 4))
    shown.page.get_by_role("button", name="Release the chosen cell").click()
    shown.expect(None)


def test_tokens_are_text(open_map):
    shown = open_map(12)
    shown.page.mouse.move(*shown.point(9, 5, panel=1))
    tooltip = shown.page.locator(".tooltip")
    tooltip.wait_for()
    assert "<img src=x" in tooltip.inner_text() and "#9" in tooltip.inner_text()
    assert "≈" in tooltip.inner_text()
    shown.click(9, 5)
    shown.expect((9, 5))
    assert "<img src=x" in shown.page.locator(".readout").inner_text()
    assert shown.page.locator(".figure img").count() == 0
    assert shown.page.evaluate("window.hacked") is None


@pytest.mark.parametrize("size", [512, 2048])
def test_small_cells_zoom_first_then_are_exact(open_map, size):
    shown = open_map(size)
    hot = size - 2, 1  # the pointer rests two cells off: the strongest cell nearby is taken
    shown.page.mouse.click(*shown.point(size - 4, 3))
    assert shown.view()[2] >= 10
    assert shown.figure.get_attribute("data-selected") == ""

    left, top, width, _ = shown.view()
    across = int(shown.panels()[0][2] / width)
    first = int(top) + 1, int(left) + 1
    targets = [
        hot,
        first,
        (first[0] + across // 2, first[1] + 3),
        (first[0] + 5, first[1] + across - 3),
    ]
    for panel, (query, key) in enumerate(targets):
        shown.click(query, key, panel % 3)
        shown.expect((query, key))

    shown.page.get_by_role("button", name="Show the whole matrix").click()
    shown.painted()
    assert shown.view()[:2] == [0, 0]
    assert shown.view()[2] < 4


def test_wheel_zooms_around_the_pointer_and_drag_pans_all_panels(open_map):
    shown = open_map(512)
    x, y = map(round, shown.point(300, 100, panel=2))  # wheel events count whole pixels
    whole = shown.view()[2]
    here = shown.point(-0.5, -0.5, panel=2)
    query, key = (y - here[1]) / whole, (x - here[0]) / whole
    shown.page.mouse.move(x, y)
    for _ in range(8):
        shown.page.mouse.wheel(0, -200)
    shown.await_cell_width(whole * math.exp(8 * 0.4))
    now = shown.point(query - 0.5, key - 0.5, panel=2)
    assert now == pytest.approx((x, y), abs=0.5), "what was under the pointer stayed there"

    before = shown.view()
    shown.page.mouse.down()
    shown.page.mouse.move(x + 30, y + 12, steps=4)
    shown.page.mouse.up()
    shown.painted()
    after = shown.view()
    assert (before[0] - after[0]) * after[2] == pytest.approx(30, abs=1.5)
    assert (before[1] - after[1]) * after[3] == pytest.approx(12, abs=1.5)
    assert shown.figure.get_attribute("data-selected") == "", "a drag is not a click"
    shown.click(301, 101, panel=1)
    shown.expect((301, 101))


def test_png_is_saved(open_map):
    shown = open_map(12)
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name="Save the panels").click()
    assert download.value.suggested_filename == "attention.png"
    assert Path(download.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
