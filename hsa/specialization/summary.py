"""What a field's splats serve, function by function: how many, where, how strongly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hsa.field.splat_field import LEVELS
from hsa.specialization.findings import ALL, FIGURES, Finding, Findings

STRONG = 0.5
"""Bits, at least, that make a function a strong one of a splat: 30 % of its keys where 2 % are
expected, or 90 % where 50 % are."""


@dataclass(frozen=True)
class FunctionSummary:
    """One function over all heads measured.

    Attributes:
        splats: (splat, head) that serve it, of those by level; `strongest_for` those that it tells
            most about among all functions of the same kind.
        strong: of them that it tells at least half a bit about.
        layers: how many serve it in each layer.
        best: the finding that tells most.
    """

    name: str
    title: str
    kind: str
    splats: int
    by_level: dict[str, int]
    strongest_for: int
    strong: int
    layers: dict[int, int]
    best: Finding


def summarise(findings: Findings) -> list[FunctionSummary]:
    """Functions that at least one splat serves, the most frequent main function first."""
    rows: dict[int, list[int]] = {}
    top: dict[tuple[bool, int, int, int], int] = {}
    # Lists: a hundred thousand rows looked up one by one in tensors take seconds.
    bits = findings.figures[:, FIGURES.index("bits")].tolist()
    functions, layers = findings.function.tolist(), findings.layer.tolist()
    levels = findings.level.tolist()
    pair = [one.kind == "pair" for one in ALL]
    owners = zip(layers, findings.head.tolist(), findings.splat_id.tolist(), strict=True)
    for row, (function, owner) in enumerate(zip(functions, owners, strict=True)):
        rows.setdefault(function, []).append(row)
        key = (pair[function], *owner)
        if key not in top or bits[row] > bits[top[key]]:
            top[key] = row
    main = Counter(functions[row] for row in top.values())
    found = []
    for function, own in rows.items():
        best = max(own, key=bits.__getitem__)
        found.append(
            FunctionSummary(
                name=ALL[function].name,
                title=ALL[function].title,
                kind=ALL[function].kind,
                splats=len(own),
                by_level=_counted(LEVELS[levels[row]] for row in own),
                strongest_for=main[function],
                strong=sum(bits[row] >= STRONG for row in own),
                layers=_counted(layers[row] for row in own),
                best=findings.finding(best),
            )
        )
    return sorted(found, key=lambda one: -one.strongest_for)


def _counted(values) -> dict:
    return dict(sorted(Counter(values).items()))
