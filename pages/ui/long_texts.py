"""Own texts in the address: short ones as they are, long ones by a digest of them.

A digest is answered from this server's memory only, within a bound, so a link to a long text
works until the server restarts or many others have come.
"""

import hashlib
import re

from pages.ui.plain import sendable
from pages.ui.stores import stores

MOST_CHARACTERS = 500
_DIGEST = re.compile("sha256:[0-9a-f]{40}")


def by_digest(text: str) -> bool:
    """Whether the address names the text and does not hold it."""
    return len(text) > MOST_CHARACTERS or bool(_DIGEST.fullmatch(text))


def write(text: str) -> str:
    """What stands for the text in the address."""
    if not by_digest(text):
        return text
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:40]}"
    stores()["texts"].put(digest, text)
    return digest


def read(parameter: str) -> str:
    """The text that the address means; ValueError for a long one that is gone."""
    if not _DIGEST.fullmatch(parameter):
        return sendable(parameter)
    text = stores()["texts"].peek(parameter)
    if text is None:
        raise ValueError(parameter)
    return text
