"""One number of two cases: the case at hand and the pinned reference, and their difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["share", "nats", "count", "logits", "number"]


@dataclass(frozen=True)
class PairedNumber:
    """A number of the case beside the same number of the reference.

    Attributes:
        unit: 'share' (of 1), 'nats', 'count' (tokens, keys, reads), 'logits' or a bare 'number'.
        meaning: one sentence for the reader.
    """

    title: str
    unit: Unit
    meaning: str
    case: float
    reference: float

    @property
    def difference(self) -> float:
        """Case - reference; NaN where either means nothing."""
        return self.case - self.reference
