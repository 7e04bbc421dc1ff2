"""What the map shows, as plain arrays: no engine and no tensors behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVELS = 3


@dataclass(frozen=True, eq=False)
class Told:
    """One attribute that tooltips tell and colours may follow: numbers, NaN where unknown.

    Attributes:
        names: of categories, whose numbers the values then are; none for a quantity.
        percent: values are shares.
    """

    title: str
    values: np.ndarray
    names: tuple[str, ...] = ()
    percent: bool = False
    log: bool = False


@dataclass(frozen=True)
class Colours:
    """Which attribute is coloured and how.

    Attributes:
        stops: colours from the least value to the largest, or one a category.
        dark_stops: the same on a dark page.
    """

    told: int
    stops: tuple[str, ...]
    dark_stops: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Marks:
    """Small marks over the splats; a place that is NaN is not drawn.

    Attributes:
        splat: row of the finest splat that holds each key; for queries -1.
        head: number of the head that each belongs to.
        token: position in the text of each.
    """

    x: np.ndarray
    y: np.ndarray
    splat: np.ndarray
    head: np.ndarray
    token: np.ndarray
    is_query: np.ndarray


@dataclass(frozen=True, eq=False)
class Drawing:
    """N splats; a row is a splat, and `parent` a row, -1 for none.

    Attributes:
        heads: the names of the heads that `head` numbers.
        words: what each splat holds, in few words; "" for nothing.
        method: how the places came about, for the line below the map.
    """

    title: str
    method: str
    heads: tuple[str, ...]
    head: np.ndarray
    splat_id: np.ndarray
    level: np.ndarray
    parent: np.ndarray
    x: np.ndarray
    y: np.ndarray
    words: Sequence[str]
    told: tuple[Told, ...]
    colours: Colours
    marks: Marks | None = None
    tokens: Sequence[str] = ()

    def __post_init__(self) -> None:
        splats = len(self.splat_id)
        if not splats:
            raise ValueError("a map has at least 1 splat, got 0")
        lengths = {
            name: len(getattr(self, name))
            for name in ("head", "level", "parent", "x", "y", "words")
        } | {told.title: len(told.values) for told in self.told}
        wrong = {name: length for name, length in lengths.items() if length != splats}
        if wrong:
            raise ValueError(f"{splats} splats need as many of everything, got {wrong}")
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise ValueError("places must be finite")
        if self.level.min() < 0 or self.level.max() >= LEVELS:
            raise ValueError(
                f"levels go from 0 to {LEVELS - 1}, got {self.level.min()} to {self.level.max()}"
            )
        if self.parent.max() >= splats or self.parent.min() < -1:
            raise ValueError(f"parents are rows of {splats} splats or -1")
        if not 0 <= self.colours.told < len(self.told):
            raise ValueError(f"colours follow one of {len(self.told)} attributes")
