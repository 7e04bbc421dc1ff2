"""One attention matrix as the heatmap figure shows it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["sequential", "diverging"]


@dataclass(frozen=True, eq=False)
class Panel:
    """A titled matrix [query, key]; a NaN cell is blank (masked, or not computed).

    A sequential panel reads from zero upwards (weights); a diverging one is symmetric about
    zero (signed differences). The title, unit and note are plain text, never markup.
    """

    title: str
    values: np.ndarray
    kind: Kind
    unit: str
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("sequential", "diverging"):
            raise ValueError(f"a panel is 'sequential' or 'diverging', not {self.kind!r}")
        if self.values.ndim != 2 or 0 in self.values.shape:
            raise ValueError(
                f"panel {self.title!r} needs a non-empty matrix [query, key], "
                f"got shape {self.values.shape}"
            )
        if np.isinf(self.values).any():
            raise ValueError(f"panel {self.title!r} holds infinite values; blank cells are NaN")
