"""The cost drawer in a browser, where a click on a map reruns only a part of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages.conftest import WORK_MILLISECONDS, settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_click_adds_to_the_open_drawer(tab: Page, app_address: str) -> None:
    tab.goto(f"{app_address}/compare?model=minilm&sample=fact&layer=2")
    tab.locator('.figure[data-ready="true"]').wait_for(timeout=WORK_MILLISECONDS)
    settled(tab)
    tab.get_by_text("Cost of this page").click()
    drawer = tab.locator('[data-testid="stExpander"]').filter(has_text="Cost of this page")
    drawer.get_by_text("Mean reads of a query").wait_for()
    assert "Explaining a cell" not in drawer.inner_text()
    tab.get_by_role("button", name="Jump to the worst row").click()
    drawer.get_by_text("Explaining a cell").wait_for()
    settled(tab)
    words = drawer.inner_text()
    assert words.count("Time of all engine steps") == 1, "written anew, not once more"
    assert "Fallbacks to standard attention: 0" in words and "Kept by this server" in words
