"""A canvas component as one HTML file that works from disk and asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import html


def standalone_page(title: str, blob: bytes, *, style: str, script: str) -> str:
    """A page whose script finds `<main id="shown">` and the blob in base64 in `#blob`.

    Nothing but the title is text of others in this page, and it is escaped: all other names lie
    in the blob. The policy lets the browser run the two hashed parts and nothing else.
    """
    # A lone surrogate has no place in a file of UTF-8.
    name = html.escape(title.encode("utf-8", "replace").decode("utf-8"))
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
            '<main id="shown"></main>',
            f'<script id="blob" type="text/plain">{_base64(blob)}</script>',
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
