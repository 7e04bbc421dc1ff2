"""Untrusted text in Markdown places stays text."""

import pytest

from pages.ui.plain import plain, sendable


@pytest.mark.parametrize(
    "text",
    ["**bold**", "<b>x</b>", "![x](http://a.b)", "`code`", ":red[x]", "$x^2$", "~~x~~", "# x",
     "www.a.b", "me@a.b", "| a | b |", "1. x", "- x", "a_b_c", "&lt;", "\\*x\\*"],
)  # fmt: skip
def test_every_mark_is_escaped(text: str) -> None:
    shown = plain(text)
    marks = [at for at, letter in enumerate(shown) if letter in "*<>![]()`:$~#.@|_&-"]
    assert all(shown[at - 1] == "\\" for at in marks)
    assert shown.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\") == text


def test_what_no_browser_can_be_sent_is_replaced() -> None:
    assert sendable("a\ud800b\0c") == "a\ufffdbc"
    plain("\udfff").encode()
