"""What a field's splats serve, function by function: how many, where, how strongly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hsa.field.splat_field import LEVELS
from hsa.specialization.findings import ALL, Finding, Findings


@dataclass(frozen=True)
class FunctionSummary:
    """One function over all heads measured.

    Attributes:
        splats: (splat, head) that serve it, of those by level; `strongest_for` those that it tells
            most about among all functions of the same kind.
        layers: how many serve it in each layer.
        bits: median of what it tells, in bits, over those that it tells most about.
        best: the finding that tells most.
    """

    name: str
    title: str
    kind: str
    splats: int
    by_level: dict[str, int]
    strongest_for: int
    layers: dict[int, int]
    bits: float
    best: Finding


def summarise(findings: Findings) -> list[FunctionSummary]:
    """Functions that at least one splat serves, the most frequent main function first."""
    rows: dict[int, list[int]] = {}
    top: dict[tuple[bool, int, int, int], int] = {}
    bits = findings.figures[:, 5]
    for row, function in enumerate(findings.function.tolist()):
        rows.setdefault(function, []).append(row)
        key = (
            ALL[function].kind == "pair", int(findings.layer[row]), int(findings.head[row]),
            int(findings.splat_id[row]),
        )  # fmt: skip
        if key not in top or bits[row] > bits[top[key]]:
            top[key] = row
    main = Counter(int(findings.function[row]) for row in top.values())
    main_rows: dict[int, list[int]] = {}
    for row in top.values():
        main_rows.setdefault(int(findings.function[row]), []).append(row)
    found = []
    for function, own in rows.items():
        told = bits[main_rows.get(function, own)].median()
        best = max(own, key=lambda row: float(bits[row]))
        found.append(
            FunctionSummary(
                name=ALL[function].name,
                title=ALL[function].title,
                kind=ALL[function].kind,
                splats=len(own),
                by_level=_counted(LEVELS[int(findings.level[row])] for row in own),
                strongest_for=main[function],
                layers=_counted(int(findings.layer[row]) for row in own),
                bits=float(told),
                best=findings.finding(best),
            )
        )
    return sorted(found, key=lambda one: -one.strongest_for)


def _counted(values) -> dict:
    return dict(sorted(Counter(values).items()))
