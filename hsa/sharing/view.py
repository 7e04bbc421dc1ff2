"""What a page showed of one head: what its numbers depend on besides prompt, model, field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from hsa.attention.spending import WAYS
from hsa.errors import InputError

OPENINGS = ("query", "block")
MOST = 1_000_000
"""No layer, head, position or number of reads reaches this."""


@dataclass(frozen=True)
class View:
    """One head of a text.

    Attributes:
        reads: per query, on average over all heads.
        way: how they are spent, one of WAYS.
        opening: 'query' where each query opens for itself, 'block' where blocks share.
        first, shown: the queries compared, so many from the first on.
        query, key: the cell taken apart; both None where none was chosen.
        grid: whether the scores of all heads belong to it.
    """

    layer: int
    head: int
    reads: int
    way: str
    opening: str
    first: int
    shown: int
    query: int | None = None
    key: int | None = None
    grid: bool = False

    def __post_init__(self) -> None:
        for name in ("layer", "head", "reads", "first", "shown"):
            self._check(name, type(getattr(self, name)) is int and 0 <= getattr(self, name) < MOST)
        for name in ("query", "key"):
            at = getattr(self, name)
            self._check(name, at is None or (type(at) is int and 0 <= at < MOST))
        self._check("way", self.way in WAYS)
        self._check("opening", self.opening in OPENINGS)
        self._check("shown", self.shown >= 1)
        self._check("reads", self.reads >= 1)
        self._check("key", (self.query is None) == (self.key is None))
        self._check("grid", type(self.grid) is bool)

    def _check(self, name: str, sound: bool) -> None:
        if not sound:
            raise InputError(
                "This is no view of a head", got=f"{name} = {str(getattr(self, name))[:60]}",
                needed="layer, head, reads, queries and cell as Compare names them",
            )  # fmt: skip


def view_of(described: Any) -> View:
    """The view that a file describes.

    Raises:
        InputError: it describes none.
    """
    names = {field.name for field in fields(View)}
    if not isinstance(described, dict) or set(described) != names:
        raise InputError(
            "This is no view of a head", got=f"{str(described)[:60]}",
            needed=", ".join(sorted(names)),
        )  # fmt: skip
    return View(**described)
