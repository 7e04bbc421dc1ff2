"""How much error reads buy, head by head: what calibration measured (design §6)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class ErrorCurves:
    """Relative output error ‖Ô - O‖_F / ‖O‖_F of heads as reads grow, at one text length.

    Leading dimensions are heads: [H] for one layer, [L, H] for a model.

    Attributes:
        tokens: T of the texts that it was measured on.
        reads: the grid of equal budgets, reads per query.
        error: HSA's error at each budget.
        oracle: error of the best k = reads far keys, knowing every score.
        stop: relative errors at which a query stops opening, falling.
        stop_reads: mean reads per query that each of them took.
        stop_error: the error that it left.
        scale: RMS‖o‖, the unit of `stop`.
    """

    tokens: int
    reads: Int[Tensor, " K"]
    error: Float[Tensor, "*heads K"]
    oracle: Float[Tensor, "*heads K"]
    stop: Float[Tensor, " E"]
    stop_reads: Float[Tensor, "*heads E"]
    stop_error: Float[Tensor, "*heads E"]
    scale: Float[Tensor, "*heads"]


@dataclass(frozen=True)
class OwnCurves:
    """Squared error of heads whose queries open for themselves inside the model, as reads grow.

    Squared, for the model's next token feels errors so: a mean of errors would leave the few
    queries that look single tokens up without their reads.

    Attributes:
        tokens: T of the texts that it was measured on.
        reads: far reads that a query was allowed, rising.
        error: mean over queries of (‖ô - o‖ / ‖o‖)².
    """

    tokens: int
    reads: Int[Tensor, " K"]
    error: Float[Tensor, "*heads K"]
