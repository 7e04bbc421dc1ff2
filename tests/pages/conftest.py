"""The app served as a visitor meets it, and a real browser to visit it with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages.serving import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
WORK_MILLISECONDS = 120_000


@pytest.fixture(scope="session")
def app_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of app.py, served on a free port by a process of its own."""
    with served(ROOT / "app.py", tmp_path_factory.mktemp("app") / "log") as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; one at a time, since Playwright allows no second in a thread."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A fresh tab; the test fails if it asked anything of another machine."""
    context = browser.new_context(viewport={"width": 1400, "height": 1500})
    opened = context.new_page()
    outside: list[str] = []
    own = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith(own) else outside.append(asked.url),
    )
    yield opened
    context.close()
    assert not outside


def settled(tab: Page) -> None:
    """Wait until the page's script has run to its end."""
    tab.wait_for_selector("h1")
    # The script starts a moment after a click; the state is read once that had its chance.
    tab.wait_for_timeout(250)
    tab.wait_for_selector(
        '[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=WORK_MILLISECONDS
    )
