"""The app served as a visitor meets it, and a real browser to visit it with."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
START_SECONDS = 60
WORK_MILLISECONDS = 120_000


@pytest.fixture(scope="session")
def app_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of app.py, served on a free port by a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("app") / "log"
    options = {"server.port": port, "server.headless": "true", "server.fileWatcherType": "none"}
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py"]
            + [f"--{name}={value}" for name, value in options.items()],
            cwd=ROOT,
            stdout=written,
            stderr=written,
        )
        try:
            _await_health(f"{address}/_stcore/health", server, log)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=10)


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


def _await_health(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"the app did not start: {log.read_text()[-2000:]}")
