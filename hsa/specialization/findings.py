"""What the splats of a field serve, as a table that pages and explanations ask."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.specialization.functions import FUNCTIONS, Function

ALL: tuple[Function, ...] = FUNCTIONS["token"] + FUNCTIONS["pair"]
"""Every function; a finding's `function` is a place here."""

WEAK = 0.05
"""Bits below which a function is said to be served weakly: sure, but little of the splat."""

FIGURES = ("share", "expected", "odds", "low", "high", "bits", "q", "p", "support")
"""Columns of numbers of a finding, as `Claims` explains them."""


@dataclass(frozen=True)
class Finding:
    """One function that one splat serves."""

    layer: int
    head: int
    splat_id: int
    level: int
    function: Function
    share: float
    expected: float
    odds: float
    low: float
    high: float
    bits: float
    q: float
    p: float
    support: int

    @property
    def label(self) -> str:
        """The function and how strongly, in a few words."""
        how = "weakly, " if self.bits < WEAK else ""
        return f"{self.name} ({how}{_percent(self.share)}, ×{self.lift:.2g})"

    @property
    def name(self) -> str:
        """What the splat does, without figures."""
        return f"{'holds' if self.function.kind == 'token' else 'carries'} {self.function.title}"

    @property
    def lift(self) -> float:
        """Share over the share expected of like keys."""
        return self.share / max(self.expected, 1e-9)

    @property
    def evidence(self) -> str:
        """The figures in a sentence."""
        of = "keys" if self.function.kind == "token" else "attention"
        low, high = math.exp(self.low), math.exp(self.high)
        return (
            f"{_percent(self.share)} of its {of}, {_percent(self.expected)} of like keys': odds "
            f"× {math.exp(self.odds):.3g} ({low:.3g} to {high:.3g}); false discovery rate "
            f"{_small(self.q)} in the half that found it, p {_small(self.p)} in the half that "
            f"confirmed it, {self.support:,} keys there."
        )


@dataclass(frozen=True)
class Findings:
    """Everything claimed about the splats of one field; K rows, strongest first per splat.

    Attributes:
        field: content key of the field that it holds of, and of no other.
        corpus: (name, sha256) of each text that was read; `tokens` in all.
        parsed: whether a parser told functions beyond the surface.
        layers: measured; nothing is known of the others.
        head: the query head, or the key/value head for functions of tokens.
        function: place in `ALL`.
        figures: columns as `FIGURES` names them.
        tests: how many were made in all.
    """

    model: str
    field: str
    corpus: tuple[tuple[str, str], ...]
    tokens: int
    parsed: bool
    notes: tuple[str, ...]
    layers: tuple[int, ...]
    group: int
    tests: int
    layer: Int[Tensor, " K"]
    head: Int[Tensor, " K"]
    splat_id: Int[Tensor, " K"]
    level: Int[Tensor, " K"]
    function: Int[Tensor, " K"]
    figures: Float[Tensor, "K C"]

    def of_splat(self, layer: int, head: int, splat_id: int) -> tuple[Finding, ...]:
        """What a splat serves for a query head, the most telling first; positions come last."""
        rows = [
            *self._rows.get((0, layer, head // self.group, splat_id), ()),
            *self._rows.get((1, layer, head, splat_id), ()),
        ]
        return tuple(sorted(map(self.finding, rows), key=_telling))

    def labels(self, layer: int, head: int) -> dict[int, Finding]:
        """The first of `of_splat` for every splat that serves a query head, by splat id."""
        rows = [
            *self._of_head.get((0, layer, head // self.group), ()),
            *self._of_head.get((1, layer, head), ()),
        ]
        best: dict[int, Finding] = {}
        for found in map(self.finding, rows):
            known = best.setdefault(found.splat_id, found)
            best[found.splat_id] = min(known, found, key=_telling)
        return best

    def strongest(self, most: int) -> Findings:
        """At most so many findings of each splat, head and kind: the first of `of_splat`."""
        bits = self.figures[:, FIGURES.index("bits")]
        positional = torch.tensor([one.positional for one in ALL])[self.function]
        seen: dict[tuple[int, int, int, int], int] = {}
        kept = []
        for row in (bits - 1e3 * positional).argsort(descending=True, stable=True).tolist():
            key = self._keys[row]
            seen[key] = seen.get(key, 0) + 1
            if seen[key] <= most:
                kept.append(row)
        rows = torch.tensor(sorted(kept), dtype=torch.long)
        columns = ("layer", "head", "splat_id", "level", "function", "figures")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def finding(self, row: int) -> Finding:
        """One row."""
        named = dict(zip(FIGURES, self.figures[row].tolist(), strict=True))
        support = int(named.pop("support"))
        return Finding(
            int(self.layer[row]), int(self.head[row]), int(self.splat_id[row]),
            int(self.level[row]), ALL[int(self.function[row])], support=support, **named,
        )  # fmt: skip

    @cached_property
    def _rows(self) -> dict[tuple[int, int, int, int], list[int]]:
        found: dict[tuple[int, int, int, int], list[int]] = {}
        for row, key in enumerate(self._keys):
            found.setdefault(key, []).append(row)
        return found

    @cached_property
    def _of_head(self) -> dict[tuple[int, int, int], list[int]]:
        found: dict[tuple[int, int, int], list[int]] = {}
        for row, (kind, layer, head, _) in enumerate(self._keys):
            found.setdefault((kind, layer, head), []).append(row)
        return found

    @cached_property
    def _keys(self) -> list[tuple[int, int, int, int]]:
        kind = (self.function >= len(FUNCTIONS["token"])).int()
        columns = (kind, self.layer, self.head, self.splat_id)
        return list(zip(*(column.tolist() for column in columns), strict=True))


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.2g}" if share < 1e-4 else f"{share:.1%}"


def _telling(found: Finding) -> tuple[bool, float]:
    """Every splat stands somewhere in the text, so what else it does is told first."""
    return (found.function.positional, -found.bits)


def _small(chance: float) -> str:
    return f"{chance:.1g}" if chance >= 1e-30 else "below 1e-30"
