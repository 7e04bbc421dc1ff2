"""A head under adaptation, between two texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hsa.adaptation.edit import Head
from hsa.adaptation.evidence import no_evidence
from hsa.adaptation.keys import KeySample, no_keys
from hsa.adaptation.propose import Allowance
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.thresholds import Thresholds
from hsa.field.splat_field import SplatField


@dataclass
class HeadState:
    """A head with all that its next step depends on."""

    head: Head
    keys: KeySample
    kept_keys: KeySample
    thresholds: tuple[Thresholds, ...]
    allowance: Allowance
    sizes: tuple[int, ...]
    pace: float = 1.0

    @staticmethod
    def at_first(field: SplatField, settings: AdaptationSettings) -> HeadState:
        """Before the first text; `sizes` are what caps and floors of its levels go by."""
        dim = field.position.shape[1]
        return HeadState(
            head=Head(field, no_evidence(field), int(field.splat_id.max()) + 1),
            keys=no_keys(dim),
            kept_keys=no_keys(dim),
            thresholds=(Thresholds.of(settings),) * 3,
            allowance=Allowance({}),
            sizes=tuple(int((field.level == level).sum()) for level in range(3)),
        )

    def all_keys(self) -> KeySample:
        """What splats follow: keys of the texts so far, and of those not to be forgotten."""
        return self.keys.beside(self.kept_keys)


HeadStates = Mapping[int, HeadState]
"""States by key/value head, of those that may change."""
