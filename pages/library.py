"""Library: fields, bundles and logs, and what is in a file that somebody gave you."""

from __future__ import annotations

from pages.ui.frame import frame
from pages.ui.library_import import opened, upload
from pages.ui.library_shelf import shelf

frame(
    "Library",
    "Which fields, bundles and logs are on this machine, and what is in a file that somebody gave "
    "you?",
    prompt_in="page",
    reads=False,
)
upload()
opened()
shelf()
