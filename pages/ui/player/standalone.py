"""The film as one HTML file that plays from disk and asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import html
from typing import TYPE_CHECKING

from .blob import encode
from .frontend_files import frontend_text, player_script

if TYPE_CHECKING:
    from hsa.adaptation.recording import Recording


def standalone_html(film: Recording | bytes, title: str) -> str:
    """The player, its style and the film in one page.

    Nothing but the title is text of others in this page, and it is escaped: step names lie in
    the film, in base64. The policy lets the browser run the two hashed parts and nothing else.
    """
    # A lone surrogate has no place in a file of UTF-8.
    name = html.escape(title.encode("utf-8", "replace").decode("utf-8"))
    blob = film if isinstance(film, bytes) else encode(film)
    style = frontend_text("standalone.css") + frontend_text("player.css")
    script = player_script("on_its_own")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{name}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            f"<h1>{name}</h1>",
            '<main id="player"></main>',
            f'<script id="film" type="text/plain">{_base64(blob)}</script>',
            f'<script type="module">{script}</script>',
            "</body>",
            "</html>",
            "",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{_base64(hashlib.sha256(text.encode('utf-8')).digest())}'"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
