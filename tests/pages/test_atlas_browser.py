"""A visitor's walk over the atlas: click a splat, read its card, filter, look at UMAP, reopen."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from hsa.atlas.layout import pca_layout
from hsa.field.splat_field import SplatField
from tests.pages.conftest import WORK_MILLISECONDS, settled
from tests.pages.test_atlas import fingerprint

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.hacked=1"> **bold** $x^2$ </script> مرحبا again again'


def drawn(tab: Page) -> None:
    tab.locator('.atlas[data-ready="true"]').wait_for(timeout=WORK_MILLISECONDS)
    settled(tab)


def selected(tab: Page) -> str | None:
    return tab.locator(".atlas").get_attribute("data-selected")


def shipped_head() -> SplatField:
    from pages.ui import engine

    return engine.shipped("minilm", fingerprint()).field.heads[1][4]


def place_of(tab: Page, field: SplatField, row: int) -> tuple[float, float]:
    """Where the map says that this splat is drawn."""
    view = tab.locator(".atlas").get_attribute("data-view") or ""
    x, y, scale = (float(part) for part in view.split(","))
    across, up = pca_layout(field).place[row].tolist()
    tab.locator(".touch").scroll_into_view_if_needed()
    box = tab.locator(".touch").bounding_box()
    assert box is not None
    return box["x"] + x + across * scale, box["y"] + y - up * scale


def test_click_card_filter_umap_and_reopen(tab: Page, app_address: str) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    field = shipped_head()
    tab.goto(f"{app_address}/atlas?model=minilm&layer=1&head=4&layout=pca")
    drawn(tab)
    box = tab.get_by_role("textbox", name="Prompt")
    box.fill(HOSTILE)
    box.press("Control+Enter")
    tab.wait_for_url(re.compile("text="))
    drawn(tab)

    # The Phrase farthest to the left, then its parent from the card.
    row = int(pca_layout(field).place[40:, 0].argmin()) + 40
    x, y = place_of(tab, field, row)
    tab.mouse.move(x, y)
    expect(tab.locator(".tooltip")).to_contain_text(f"Phrase #{int(field.splat_id[row])}")
    tab.mouse.click(x, y)
    card = tab.locator(".st-key-atlas-card")
    expect(card.get_by_role("heading")).to_have_text(f"Phrase {int(field.splat_id[row])}")
    tab.wait_for_url(re.compile(rf"splat={int(field.splat_id[row])}(&|$)"))
    parent = int(field.splat_id[field.parent[row]])
    card.get_by_text(f"Section {parent}", exact=True).click()
    expect(card.get_by_role("heading")).to_have_text(f"Section {parent}")
    expect(tab.locator(".atlas")).to_have_attribute("data-selected", str(parent))
    settled(tab)

    # Drag pans, double click shows the whole again; neither chooses.
    before = tab.locator(".atlas").get_attribute("data-view")
    tab.mouse.move(x, y - 60)
    tab.mouse.down()
    tab.mouse.move(x + 70, y - 20, steps=4)
    tab.mouse.up()
    expect(tab.locator(".atlas")).not_to_have_attribute("data-view", before or "")
    tab.mouse.dblclick(x + 70, y - 120)
    expect(tab.locator(".atlas")).to_have_attribute("data-view", before or "")
    assert selected(tab) == str(parent)

    # A range dragged over the histogram filters map and table.
    bars = tab.locator(".js-plotly-plot").last
    bars.scroll_into_view_if_needed()
    area = bars.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    tab.mouse.move(area["x"] + 5, area["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(area["x"] + area["width"] / 2, area["y"] + 60, steps=6)
    tab.mouse.up()
    tab.wait_for_url(re.compile("range="))
    readout = tab.locator(".readout")
    expect(readout).to_contain_text("of 232 splats stand out")
    settled(tab)
    tab.get_by_role("button", name="All values").click()
    expect(readout).not_to_contain_text("stand out")
    settled(tab)

    # UMAP takes the place of the principal components, which stay until then.
    tab.get_by_text("UMAP", exact=True).click()
    expect(tab.locator(".told")).to_contain_text(re.compile("^UMAP"), timeout=WORK_MILLISECONDS)
    tab.wait_for_url(lambda url: "layout=" not in url)
    drawn(tab)
    assert selected(tab) == str(parent)

    # A Section in the icicle is chosen by a click.
    tab.get_by_text("Icicle", exact=True).click()
    other = int(field.splat_id[8 if parent != 8 else 9])
    slices = tab.locator(".js-plotly-plot .slice")
    slices.first.wait_for()
    settled(tab)
    slices.filter(has_text=re.compile(rf"^Section {other}\b")).first.locator("path").click()
    expect(card.get_by_role("heading")).to_have_text(f"Section {other}")
    tab.get_by_text("Map", exact=True).click()
    drawn(tab)

    tab.reload()
    drawn(tab)
    assert selected(tab) == str(other)
    expect(card.get_by_role("heading")).to_have_text(f"Section {other}")

    with tab.expect_download() as saved:
        tab.get_by_role("button", name="SVG").click()
    svg = saved.value.path().read_text("utf-8")
    assert svg.startswith("<svg")
    assert svg.count(" 0 1 0 ") >= 2 * 192, "every Phrase a disc"

    tab.locator(".touch").focus()
    tab.keyboard.press("Escape")
    tab.get_by_text("Click a splat to see").wait_for()
    tab.wait_for_url(lambda url: "splat=" not in url)
    assert selected(tab) == ""
    assert tab.evaluate("window.hacked") is None and tab.locator('img[src="x"]').count() == 0
    assert tab.locator(".katex").count() == 0 and not errors, json.dumps(errors)


def heaviest_phrase() -> int:
    """Row of the Phrase that holds most tokens of the dialogue, of those that lie apart."""
    from hsa.explanation.splat_use import splat_use
    from hsa.models.capture import capture
    from hsa.models.loading import load
    from pages.ui import engine
    from pages.ui.samples import sample_text

    loaded = load("minilm")
    given = capture(loaded, loaded.tokenize(sample_text("dialogue")), [1])[1]
    field = engine.shipped("minilm", fingerprint()).field
    use = splat_use(given.head(4), field.layer(1).group(4))
    place = pca_layout(shipped_head()).place
    apart = (place.unsqueeze(1) - place).norm(dim=-1).fill_diagonal_(9e9).min(1).values
    phrases = shipped_head().rows(2)
    score = (use.keys > 0).float() * apart
    return int(score[phrases].argmax()) + phrases.start


def test_from_the_map_to_portrait_counterfactual_and_link(
    tab: Page, browser: Browser, app_address: str
) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app_address)
    field, row = shipped_head(), heaviest_phrase()
    splat = int(field.splat_id[row])
    tab.goto(app_address)
    settled(tab)
    tab.goto(f"{app_address}/atlas?model=minilm&sample=dialogue&layer=1&head=4&layout=pca")
    drawn(tab)
    tab.mouse.click(*place_of(tab, field, row))
    tab.wait_for_url(re.compile(rf"splat={splat}(&|$)"))
    tab.get_by_role("link", name="Its portrait").click()
    heading = re.compile(rf"layer 1, head 4, Phrase {splat}")
    tab.get_by_role("heading", name=heading).wait_for(timeout=WORK_MILLISECONDS)
    settled(tab)
    tab.get_by_role("button", name="Run the counterfactuals").click()
    tab.get_by_text("Compared with the head as it is").wait_for()
    settled(tab)
    tab.get_by_role("button", name="Copy link").click()
    tab.get_by_role("status").get_by_text("Copied.").wait_for()
    link = tab.evaluate("navigator.clipboard.readText()")
    told = tab.locator('[data-testid="stMetricValue"]').all_inner_texts()
    assert len(told) >= 6

    other = browser.new_context(viewport={"width": 1400, "height": 1500}).new_page()
    other.goto(link)
    other.get_by_role("heading", name=heading).wait_for(timeout=WORK_MILLISECONDS)
    settled(other)
    other.locator('[data-testid="stMetricValue"]').nth(5).wait_for(timeout=WORK_MILLISECONDS)
    assert other.locator('[data-testid="stMetricValue"]').all_inner_texts()[:6] == told[:6]
    other.context.close()
