"""The film as one HTML file that plays from disk and asks nothing of any network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.ui.standalone_page import standalone_page

from .blob import encode
from .frontend_files import frontend_text, player_script

if TYPE_CHECKING:
    from hsa.adaptation.recording import Recording


def standalone_html(film: Recording | bytes, title: str) -> str:
    """The player, its style and the film in one page."""
    return standalone_page(
        title,
        film if isinstance(film, bytes) else encode(film),
        style=frontend_text("standalone.css") + frontend_text("player.css"),
        script=player_script("on_its_own"),
    )
