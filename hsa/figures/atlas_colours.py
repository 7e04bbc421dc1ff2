"""Colours of splats: one a category, or a scale from low to high; readable on light and dark."""

from __future__ import annotations

import math

from hsa.atlas.attributes import Attribute
from hsa.field.splat_field import LEVELS

# The levels' own, as in the replay of an adaptation.
LEVEL_COLOURS = ("#c27a00", "#0f8a83", "#71809c")
LEVEL_COLOURS_DARK = ("#f2ab3c", "#3fc4b6", "#8e9bb8")
# Okabe & Ito's, told apart with every common colour blindness, and four more.
CATEGORIES = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d00", "#7b5cd6",
    "#a0522d", "#4c9f38",
)  # fmt: skip
CATEGORIES_DARK = (
    "#5cb2ff", "#ff8a5c", "#3fc79a", "#e79ccb", "#f2ab3c", "#8fd3ff", "#d8c04a", "#b09bf2",
    "#d99a72", "#8fd67c",
)  # fmt: skip
UNKNOWN = "#b9bec8"
# Viridis, without its palest end, which is lost on white.
SCALE = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#d4c21f")
SCALE_DARK = ("#5a4ea3", "#3f7fb5", "#2aa0a0", "#3fc585", "#9be04f", "#fde725")


def stops(attribute: Attribute, *, dark: bool = False) -> tuple[str, ...]:
    """Colours from low to high, or one for each of the first categories."""
    if attribute.numeric:
        return SCALE_DARK if dark else SCALE
    if attribute.name == "level":
        own = LEVEL_COLOURS_DARK if dark else LEVEL_COLOURS
        return tuple(own[LEVELS.index(level)] for level in attribute.categories())
    return (CATEGORIES_DARK if dark else CATEGORIES)[: len(attribute.categories())]


def row_colours(attribute: Attribute) -> list[str]:
    """The colour of every splat."""
    colours = stops(attribute)
    if not attribute.numeric:
        of = dict(zip(attribute.categories(), colours, strict=False))
        return [of.get(name, UNKNOWN) for name in attribute.names]
    places = [_along(value, attribute.log) for value in attribute.numbers.tolist()]
    known = [place for place in places if place is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    span = (high - low) or 1.0
    return [UNKNOWN if at is None else _mixed(colours, (at - low) / span) for at in places]


def _along(value: float, log: bool) -> float | None:
    if not math.isfinite(value) or (log and value <= 0):
        return None
    return math.log(value) if log else value


def _mixed(colours: tuple[str, ...], place: float) -> str:
    at = min(int(place * (len(colours) - 1)), len(colours) - 2)
    share = place * (len(colours) - 1) - at
    low, high = ([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours[at : at + 2])
    return "#" + "".join(
        f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True)
    )
