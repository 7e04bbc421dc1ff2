"""The grid of heads of a case beside that of the pinned reference, score by score."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from hsa.errors import InputError
from hsa.evaluation.head_grid import HeadGrid
from hsa.evaluation.scores import Score


@dataclass(frozen=True)
class GridDifference:
    """One score of every head of both; `difference` is case - reference, NaN where either is."""

    score: Score
    case: Float[Tensor, "L H"]
    reference: Float[Tensor, "L H"]
    difference: Float[Tensor, "L H"]

    @property
    def layers(self) -> int:
        return self.case.shape[0]

    @property
    def heads(self) -> int:
        return self.case.shape[1]

    @property
    def mean(self) -> float:
        """Of the difference, over the heads where both scores mean something."""
        return float(self.difference.nanmean())

    @property
    def largest(self) -> float:
        """The largest difference of a head, without its sign; 0 where none means anything."""
        return float(self.difference.abs().nan_to_num().max())

    def most_changed(self) -> tuple[int, int]:
        """Layer and head whose score differs most."""
        layer, head = divmod(int(self.difference.abs().nan_to_num().argmax()), self.heads)
        return layer, head


def grid_difference(case: HeadGrid, reference: HeadGrid, score: Score) -> GridDifference:
    """Score of the case minus score of the reference, head by head.

    Raises:
        InputError: grids of models with other heads.
    """
    if case.error.shape != reference.error.shape:
        raise InputError(
            "The heads of these two grids cannot be paired",
            got=f"{case.layers} × {case.heads} and {reference.layers} × {reference.heads} heads",
            needed="two grids of one model",
            attempt="pin a reference of the same model",
        )
    own, other = score.of(case), score.of(reference)
    return GridDifference(score, own, other, own - other)
