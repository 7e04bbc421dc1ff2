"""The Splat page in a real browser: tokens as text, a click to a relative, and what it does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.pages.conftest import settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.hacked=1"> the ship saw the ship, and **bold** $x$ saw it. '
ROW = 38 + 17  # pixels to the middle of a table's first row, below its head


def test_tokens_are_told_relatives_gone_to_and_counterfactuals_run(
    tab: Page, app_address: str
) -> None:
    tab.goto(f"{app_address}/portrait?model=minilm&layer=2&head=3&text={quote(2 * HOSTILE)}")
    settled(tab)
    tab.wait_for_selector(".held-text[data-ready=true]")
    token = tab.locator(".held").first
    token.hover()
    told = tab.locator(".held-text .readout").inner_text()
    assert re.match(r"Token \d+ receives [\d.e-]+% of all attention of this head \(HSA", told)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator(".held-text img").count() == 0

    table = tab.locator("[class*=st-key-portrait-family] [data-testid=stDataFrame]")
    table.scroll_into_view_if_needed()
    table.click(position={"x": 16, "y": ROW})
    tab.wait_for_url(re.compile(r"splat=\d+"))
    settled(tab)
    assert re.search(r"head 3, Section \d+", tab.locator("h3").first.inner_text())

    tab.get_by_role("button", name="Run the counterfactuals").click()
    tab.get_by_text("Compared with the head as it is").wait_for()
    tab.get_by_role("button", name="Download the counterfactuals").click()
    with tab.expect_download() as taken:
        tab.get_by_role("button", name="Every row (CSV)").click()
    saved = taken.value.path().read_text("utf-8").splitlines()
    assert saved[0].startswith("query,hsa_error,removed_from_standard_head_change")
    tab.reload()
    settled(tab)
    assert re.search(r"head 3, Section \d+", tab.locator("h3").first.inner_text())
