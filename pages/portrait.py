"""Splat: the portrait of one splat of one head."""

from __future__ import annotations

from pages.ui import reference
from pages.ui.case import Case, case
from pages.ui.compare_head import pick_head
from pages.ui.frame import frame
from pages.ui.portrait import portrait
from pages.ui.portrait_pick import pick_splat

page = frame("Splat", "What does this splat stand for?")


def main(asked: Case) -> None:
    """The splat chosen, and all that is known of it."""
    reference.control(page, asked)
    layer, head = pick_head(asked)
    portrait(asked, layer, head, pick_splat(asked, layer, head))


main(
    case(
        page,
        "Choose a sample or type a prompt in the side bar: the tokens that a splat holds in it, "
        "and what it does for its head, appear here.",
    )
)
