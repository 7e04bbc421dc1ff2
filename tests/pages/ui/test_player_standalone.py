"""The film as a file: whole, closed, and with no text of others in its markup."""

import base64
import hashlib
import re

from pages.ui.player import encode, standalone_html
from tests.pages.ui.recordings import film

HOSTILE = '</script><img src=x onerror="window.hacked=1"><!--'


def test_the_film_lies_in_it():
    recording = film()
    page = standalone_html(recording, "A film")
    held = re.search(r'<script id="blob" type="text/plain">([^<]*)</script>', page)
    assert held and base64.b64decode(held[1]) == encode(recording)
    assert page == standalone_html(encode(recording), "A film")


def test_names_and_title_are_never_markup():
    recording = film(steps=3, names=["start", HOSTILE, "\ud83d"], title=HOSTILE)
    page = standalone_html(recording, HOSTILE + "\ud83d")
    assert page.encode("utf-8")
    assert "<img" not in page and "<!--" not in page
    assert page.count("&lt;/script&gt;&lt;img src=x onerror=&quot;") == 2
    assert page.count("</script>") == 2


def test_the_policy_lets_in_the_two_parts_and_nothing_else():
    page = standalone_html(film(), "A film")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for name, tag in [("script-src", '<script type="module">'), ("style-src", "<style>")]:
        part = page.split(tag, 1)[1].split("</", 1)[0]
        digest = base64.b64encode(hashlib.sha256(part.encode("utf-8")).digest()).decode("ascii")
        assert rules[name] == f"'sha256-{digest}'"


def test_it_asks_nothing_of_any_network():
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", standalone_html(film(), "A film")))
    assert addresses <= {"http://www.w3.org/2000/svg"}, "a name of XML, which nobody fetches"
