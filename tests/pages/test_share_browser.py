"""The walk of someone who shows others what they found: a link, and a bundle."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pages.ui.terms import glossary
from tests.pages.conftest import settled
from tests.pages.test_compare_browser import painted, selected

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

VIEW = "/compare?model=minilm&sample=dialogue&layer=2&head=3&reads=12&cell=9,40"


def product(tab: Page) -> str:
    return tab.get_by_text("D·S·P·t =").inner_text()


def test_link_and_bundle_show_others_the_same(
    tab: Page, browser: Browser, app_address: str, tmp_path: Path
) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app_address)
    tab.goto(app_address)  # a server whose first request is a deep link knows no pages
    settled(tab)
    tab.goto(app_address + VIEW)
    painted(tab)
    found = product(tab)
    tab.get_by_role("button", name="Copy link").click()
    tab.get_by_role("status").get_by_text("Copied.").wait_for()
    link = tab.evaluate("navigator.clipboard.readText()")
    assert link == tab.url

    tab.get_by_role("button", name="Download", exact=True).click()
    files = {}
    for name in ("Bundle of query 9, key 40", "This page"):
        with tab.expect_download() as got:
            tab.get_by_role("button", name=name).click()
        files[name] = tmp_path / got.value.suggested_filename
        got.value.save_as(files[name])
    bundle, page = files.values()
    assert bundle.suffix == ".zip" and page.suffix == ".html"

    context = browser.new_context(viewport={"width": 620, "height": 1500})
    other = context.new_page()
    other.goto(link)
    painted(other)
    assert selected(other) == "9,40" and product(other) == found

    other.goto(f"{app_address}/library")
    settled(other)
    other.locator('input[type="file"]').set_input_files(bundle)
    other.get_by_text("A bundle: minilm, layer 2, head 3").wait_for()
    settled(other)
    other.get_by_role("button", name="Work its numbers out again").click()
    other.get_by_text(re.compile("All 16 come out again: .* 1e-06 is allowed")).wait_for()
    settled(other)
    other.get_by_role("button", name="Open this view").click()
    other.wait_for_url(re.compile(r"/compare\?.*cell=9%2C40"))
    painted(other)
    assert selected(other) == "9,40" and product(other) == found

    asked: list[str] = []
    alone = context.new_page()
    alone.on("request", lambda request: asked.append(request.url))
    alone.on("pageerror", lambda error: pytest.fail(str(error)))
    alone.goto(page.as_uri())
    alone.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert alone.locator(".js-plotly-plot").count() == 5
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    context.close()


def test_a_refused_clipboard_shows_the_address_and_what_it_lacks(
    tab: Page, app_address: str
) -> None:
    tab.goto(app_address)
    settled(tab)
    tab.goto(f"{app_address}/glossary?model=minilm&text={'x' * 501}")
    settled(tab)
    refuse = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    tab.evaluate(refuse)
    tab.get_by_role("button", name="Copy link").click()
    shown = tab.get_by_role("textbox", name="The address of this page")
    assert shown.input_value() == tab.url and "sha256" in tab.url
    tab.get_by_text("too long for an address").wait_for()
    anchors = tab.evaluate("[...document.querySelectorAll('h5')].map(word => word.id)")
    assert anchors == [entry.anchor for entries in glossary().values() for entry in entries]
    tab.get_by_role("button", name="A bundle holds it").click()
    tab.wait_for_url(re.compile("/compare"))
