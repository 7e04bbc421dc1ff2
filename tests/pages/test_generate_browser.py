"""Both streams in a real browser: seen growing, stopped in the middle, compared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.pages.conftest import WORK_MILLISECONDS, settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

COUNT = re.compile(r"^(\d+) of at most 200 tokens")
HOSTILE = '<img src=x onerror="window.hacked=1"> **bold** $x^2$ and the captain said'


def counts(tab: Page) -> list[int]:
    """Tokens of both streams."""
    found = tab.get_by_text(COUNT).all_inner_texts()
    return [int(match[1]) for match in map(COUNT.match, found) if match]


def test_streams_grow_are_stopped_and_compared(tab: Page, app_address: str) -> None:
    tab.goto(f"{app_address}/generate?new=200")
    settled(tab)
    box = tab.get_by_role("textbox", name="Prompt")
    box.fill(HOSTILE)
    box.press("Control+Enter")
    tab.wait_for_url(re.compile("text="))
    settled(tab)
    tab.get_by_role("button", name="Write on").click()
    tab.get_by_text(re.compile(r"^[2-9]\d* of at most 200")).nth(1).wait_for(
        timeout=WORK_MILLISECONDS
    )
    early = counts(tab)
    tab.wait_for_function(
        """least => [...document.querySelectorAll('[data-testid="stCaptionContainer"]')]
          .map(part => /^(\\d+) of at most 200/.exec(part.textContent))
          .filter(found => found && Number(found[1]) > least).length === 2""",
        arg=max(early),
        timeout=WORK_MILLISECONDS,
    )
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_role("heading", name="Agreement on the text itself").wait_for(
        timeout=WORK_MILLISECONDS
    )
    settled(tab)
    stopped = counts(tab)
    assert len(stopped) == 2 and all(max(early) < count < 200 for count in stopped)
    assert tab.get_by_role("button", name="Stop").count() == 0
    tab.locator('.token-text[data-ready="true"]').wait_for()
    tab.locator(".text .token").nth(3).hover()
    assert "Token 3 (prompt): KL" in tab.locator(".token-text .readout").inner_text()
    assert tab.evaluate("window.hacked") is None
    assert tab.locator('img[src="x"]').count() == 0 and tab.locator(".katex").count() == 0
