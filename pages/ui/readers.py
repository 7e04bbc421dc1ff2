"""What a parameter of the address means; every reader raises ValueError for nonsense."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from hsa.hyperparameter import bounds
from hsa.inference.writing import Writing
from pages.ui.plain import sendable

N = TypeVar("N", bound=str)

LEVELS = ("Document", "Section", "Phrase")
MOST_HEADS = 12
"""Key/value heads of an atlas besides the first; each has some hundreds of splats."""
MOST_NAMES = 50


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number within bounds, both included."""

    def read(text: str) -> int:
        if not text.strip().isascii() or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return read


def one_of(*names: N) -> Callable[[str], N]:
    """One of these names."""

    def read(text: str) -> N:
        for name in names:
            if text == name:
                return name
        raise ValueError(text)

    return read


def name(text: str) -> str:
    """A name of at most 500 characters."""
    if not text.strip() or len(text) > 500:
        raise ValueError(text)
    return sendable(text.strip())


def pair(text: str) -> tuple[int, int]:
    """Two positions, query,key."""
    query, key = text.split(",")
    position = whole(0, 1_000_000)
    return position(query), position(key)


def bounded(name: str) -> tuple[Callable[[str], float], str]:
    """A reader of this setting of `Writing` within its bounds, and what it takes in words."""
    allowed = bounds(Writing)[name]

    def read(text: str) -> float:
        if not allowed.low <= float(text) <= allowed.high:
            raise ValueError(text)
        return float(text)

    return read, f"a number from {allowed.low:g} to {allowed.high:g}"


def layer_betas(text: str) -> tuple[tuple[int, float], ...]:
    """Layers and their β, 3:0.5,7:0."""
    pairs = (pair.split(":") for pair in text.split(","))
    read, _ = bounded("beta")
    return tuple(sorted({whole(0, 10_000)(layer): read(beta) for layer, beta in pairs}.items()))


def heads(text: str) -> tuple[tuple[int, int], ...]:
    """Layers and key/value heads, 3.0,3.1."""
    number = whole(0, 10_000)
    found = {tuple(number(part) for part in head.split(".")) for head in text.split(",")}
    if len(found) > MOST_HEADS or any(len(head) != 2 for head in found):
        raise ValueError(text)
    return tuple(sorted((layer, group) for layer, group in found))


def span(text: str) -> tuple[float, float]:
    """Two finite numbers, the smaller first, 0.5..2."""
    low, high = (float(part) for part in text.split(".."))
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(text)
    return low, high


def names(text: str) -> tuple[str, ...]:
    """A few names, one|two."""
    found = tuple(dict.fromkeys(name(part) for part in text.split("|")))
    if len(found) > MOST_NAMES:
        raise ValueError(text)
    return found


def levels(text: str) -> tuple[str, ...]:
    """Some levels of the field, in their order, or none."""
    found = names(text) if text else ()
    if not set(found) <= set(LEVELS):
        raise ValueError(text)
    return tuple(level for level in LEVELS if level in found)
