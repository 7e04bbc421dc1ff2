"""The words of the glossary, for the page that lists them and the help texts that quote them.

Both read `assets/glossary.md`, so they never disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GLOSSARY = Path(__file__).resolve().parents[2] / "assets" / "glossary.md"
_HEADING = re.compile(r"#### (.+)\n")
_ENTRY = re.compile(r"\*\*(.+?)\.\*\* (.+)", re.DOTALL)
_NOT_IN_ANCHORS = re.compile(r"\W+")


@dataclass(frozen=True)
class Entry:
    """One word, or some that belong together, and what it means, in Markdown."""

    title: str
    meaning: str

    @property
    def anchor(self) -> str:
        """Its place on the glossary page."""
        return _NOT_IN_ANCHORS.sub("-", self.title.lower()).strip("-")


@cache
def glossary() -> dict[str, tuple[Entry, ...]]:
    """The entries by section, in the order of the file."""
    text = GLOSSARY.read_text("utf-8")
    titles = _HEADING.findall(text)
    bodies = _HEADING.split(text)[2::2]
    found = {}
    for title, body in zip(titles, bodies, strict=True):
        parts = (part.strip() for part in body.strip().split("\n\n"))
        matches = [_ENTRY.fullmatch(part) for part in parts]
        assert all(matches), f"every paragraph under {title!r} begins with **a word.**"
        found[title] = tuple(Entry(match[1], match[2]) for match in matches if match)
    return found


@cache
def entry(title: str) -> Entry:
    """The entry under this title; a title that the glossary lacks is a mistake of ours."""
    for entries in glossary().values():
        for found in entries:
            if found.title == title:
                return found
    raise AssertionError(f"the glossary has no entry {title!r}")


def means(*titles: str, first: str = "") -> str:
    """A help text: what these words mean, each with the way to the glossary.

    Args:
        first: said before them.
    """
    said = [first] if first else []
    for title in titles:
        found = entry(title)
        # In a tab of its own, so that the visitor's session stays.
        said.append(f"**{title}.** {found.meaning} [Glossary](./glossary#{found.anchor})")
    return "\n\n".join(said)
