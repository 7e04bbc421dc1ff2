"""Thresholds that steer each rule towards its rate, and learn from what was rolled back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hsa.adaptation.edit import Kind
from hsa.adaptation.settings import AdaptationSettings

BELOW: frozenset[Kind] = frozenset({"merge", "death"})
"""Rules that fire below their threshold; the others fire above it."""

FARTHEST = 100.0
"""A threshold stays within so many times its first value, either way."""


@dataclass(frozen=True)
class Thresholds:
    """One head's thresholds of one level, and where they began."""

    values: dict[Kind, float]
    first: dict[Kind, float]

    @staticmethod
    def of(settings: AdaptationSettings) -> Thresholds:
        first: dict[Kind, float] = {
            "birth": settings.birth_distance,
            "mitosis": settings.mitosis_strain,
            "merge": settings.merge_cost,
            "death": settings.death_share,
        }
        return Thresholds(dict(first), first)

    def steered(self, kind: Kind, fired: int, target: float, gain: float) -> Thresholds:
        """Stricter after more edits than aimed at, laxer after fewer."""
        return self._times(kind, ((fired + 1) / (target + 1)) ** gain)

    def misjudged(self, kind: Kind, gain: float) -> Thresholds:
        """Stricter, since what it proposed was rolled back."""
        return self._times(kind, 1 + gain)

    def _times(self, kind: Kind, stricter: float) -> Thresholds:
        now = self.values[kind] / stricter if kind in BELOW else self.values[kind] * stricter
        first = self.first[kind]
        kept = min(max(now, first / FARTHEST), first * FARTHEST)
        return replace(self, values=self.values | {kind: kept})
