"""The map as one HTML file that opens from disk and asks nothing of any network."""

from __future__ import annotations

from pages.ui.player.frontend_files import frontend_text as player_text
from pages.ui.standalone_page import standalone_page

from .figure import frontend_text, map_script


def standalone_html(blob: bytes, title: str) -> str:
    """The map, its style and its splats in one page; hovering, clicking and zooming work."""
    return standalone_page(
        title,
        blob,
        style=player_text("standalone.css") + frontend_text("map.css"),
        script=map_script("on_its_own"),
    )
