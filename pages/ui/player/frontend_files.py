"""The player's JavaScript and style as text; the same on a page and in a file of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FRONTEND = Path(__file__).parent / "frontend"
# One module in the end: what is first needed comes first.
_PLAYER_FILES = (
    "blob",
    "labels",
    "kinds",
    "colours",
    "film",
    "descent",
    "lanes",
    "reading",
    "elements",
    "camera",
    "transition",
    "paint",
    "marks",
    "clock",
    "curves",
    "track",
    "event_list",
    "descent_panel",
    "gestures",
    "controls",
    "keys",
    "told",
    "hit",
    "report",
    "player",
    "mount",
)


@cache
def frontend_text(file_name: str) -> str:
    """One file of the frontend."""
    return (_FRONTEND / file_name).read_text("utf-8")


@cache
def player_script(last: str) -> str:
    """`mount`, and after it the file that calls it where it is shown."""
    return "\n".join(frontend_text(f"{name}.js") for name in (*_PLAYER_FILES, last))
