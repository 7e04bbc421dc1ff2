"""A visitor adapts a field in a real browser, watches the film, and clicks an event and a splat."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pages.ui import adapt_recorded
from tests.pages.conftest import WORK_MILLISECONDS, settled
from tests.pages.test_adapt import TEXTS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from hsa.adaptation.recording import Recording

pytestmark = pytest.mark.browser


def film(tab: Page) -> None:
    """Wait until the player has drawn its film."""
    settled(tab)
    tab.locator('.player[data-ready="true"]').wait_for(timeout=WORK_MILLISECONDS)


def clicked_splat(tab: Page, shown: Recording, step: int) -> int:
    """Click the splat that stands farthest to the left at the step; its id."""
    frames = [
        int(((shown.frame_splat == splat) & (shown.frame_step <= step)).nonzero()[-1])
        for splat in range(len(shown.splat_id))
        if shown.born[splat] <= step < shown.died[splat]
    ]
    frame = min(frames, key=lambda at: float(shown.frame_x[at]))
    view = tab.locator(".player").get_attribute("data-view")
    x, y, scale = (float(part) for part in (view or "").split(","))
    box = tab.locator(".touch").bounding_box()
    assert box is not None
    tab.mouse.click(
        box["x"] + x + float(shown.frame_x[frame]) * scale,
        box["y"] + y - float(shown.frame_y[frame]) * scale,
    )
    return int(shown.splat_id[shown.frame_splat[frame]])


def test_the_recorded_film_is_scrubbed_and_a_splat_told_of(tab: Page, app_address: str) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    shown = adapt_recorded.recorded_film(adapt_recorded.recorded_log(), 15, 0).recording
    step = next(h.step for h in shown.happenings if h.accepted and h.kind == "mitosis")
    tab.goto(f"{app_address}/adapt?film=15,0")
    film(tab)
    tab.get_by_role("slider", name="Step").fill(str(step - 1))
    tab.wait_for_url(re.compile(f"step={step - 1}"))
    tab.get_by_label("accepted only").check()
    tab.get_by_label("Kind of event").select_option("mitosis")
    row = tab.locator(".event").first
    row.click()
    tab.wait_for_url(re.compile(f"step={step}(&|$)"))
    child = re.search(r"→ #(\d+)", row.inner_text())
    assert child is not None
    find = tab.get_by_label("Choose a splat by its id")
    find.fill(child[1])
    find.press("Enter")
    tab.wait_for_url(re.compile(f"splat={child[1]}"))
    expect(tab.get_by_text(f"What happened to splat {child[1]}")).to_be_visible()
    expect(tab.get_by_text(re.compile("came of a division of #"))).to_be_visible()
    at = clicked_splat(tab, shown, step)
    expect(tab.get_by_text(f"What happened to splat {at}", exact=True)).to_be_visible()
    tab.wait_for_url(re.compile(f"splat={at}"))
    find.fill(child[1])
    find.press("Enter")
    tab.wait_for_url(re.compile(f"splat={child[1]}"))
    tab.reload()
    film(tab)
    expect(tab.locator(".player")).to_have_attribute("data-selected", child[1])
    expect(tab.locator(".player")).to_have_attribute("data-step", str(step))


def test_a_short_run_is_seen_stopped_begun_again_and_watched(tab: Page, app_address: str) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    tab.goto(f"{app_address}/adapt?part=run")
    settled(tab)
    tab.get_by_text("Quick", exact=True).click()
    settled(tab)
    box = tab.get_by_role("textbox", name="Texts of your own")
    box.fill("\n\n".join(TEXTS * 12))
    box.press("Control+Enter")
    settled(tab)
    tab.get_by_text("48 texts, 6 heads").wait_for(timeout=WORK_MILLISECONDS)
    tab.get_by_role("button", name="Adapt the field").click()
    tab.get_by_text(re.compile(r"^Text [2-9] of 48")).wait_for(timeout=WORK_MILLISECONDS)
    tab.get_by_text("Edits kept").wait_for()
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_text(re.compile(r"^Stopped: \d+ of 48 texts read")).wait_for(
        timeout=WORK_MILLISECONDS
    )
    settled(tab)
    box = tab.get_by_role("textbox", name="Texts of your own")
    expect(box).to_have_value("\n\n".join(TEXTS * 12))
    box.fill("\n\n".join(TEXTS))
    box.press("Control+Enter")
    settled(tab)
    tab.get_by_role("button", name="Adapt anew").click()
    tab.get_by_text("Done: 4 of 4 texts read").wait_for(timeout=WORK_MILLISECONDS)
    settled(tab)
    tab.get_by_role("button", name="Watch the film").click()
    film(tab)
    expect(tab.get_by_text(re.compile("^Your run:"))).to_be_visible()
    tab.get_by_role("slider", name="Step").fill("4")
    tab.locator(".event").first.click()
    tab.get_by_label("Choose a splat by its id").fill("1")
    tab.get_by_label("Choose a splat by its id").press("Enter")
    expect(tab.get_by_text("What happened to splat 1", exact=True)).to_be_visible()
    assert tab.evaluate("window.hacked") is None
    assert tab.locator('img[src="x"]').count() == 0 and tab.locator(".katex").count() == 0
