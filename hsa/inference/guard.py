"""Safe forward: heads whose HSA cannot be trusted are answered by standard attention.

Nothing falls back silently: every case is counted, logged and told through the ledger. Heads
in repeated trouble are changed by what caused it: too large an error gets more reads, numbers
that are not finite a smaller τ, a failure a smaller β.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.hyperparameter import check_bounds, hyperparameter
from hsa.inference.ledger import Ledger

FAILURES = (RuntimeError, ValueError, IndexError, ArithmeticError, MemoryError)
"""What an engine may fail with, an exhausted device (a RuntimeError) included; HSAError is not
among them, for it is an answer to the caller."""


@dataclass(frozen=True)
class Guard:
    """When HSA is trusted."""

    bound: float = hyperparameter(
        0.5, 0.001, 1e6, "relative output error", "a head beyond it on a checked sample falls back"
    )
    checked: int = hyperparameter(4, 0, 256, "queries", "queries of a call that are checked")
    every: int = hyperparameter(32, 1, 4096, "tokens", "written tokens between two checks")
    patience: int = hyperparameter(3, 1, 1000, "times", "trouble of a head before it is changed")

    def __post_init__(self) -> None:
        check_bounds(self)

    def rows(self, first: int, queries: int) -> list[int]:
        """Which of the queries first … first+queries-1 are checked, counted from `first`."""
        if self.checked == 0:
            return []
        if queries == 1:
            return [0] if first % self.every == 0 else []
        return sorted(
            {round(x) for x in torch.linspace(0, queries - 1, self.checked + 1)[1:].tolist()}
        )


def not_finite(output: Float[Tensor, "H n V"]) -> Bool[Tensor, " H"]:
    """Heads with a NaN or an infinity in their outputs."""
    return ~torch.isfinite(output).flatten(1).all(1)


def relative_error(
    found: Float[Tensor, "H c V"], wanted: Float[Tensor, "H c V"]
) -> Float[Tensor, " H"]:
    """Mean over queries of ‖found - wanted‖ / ‖wanted‖."""
    apart = (found - wanted).norm(dim=-1)
    return (apart / wanted.norm(dim=-1).clamp_min(1e-12)).mean(-1)


class Health:
    """How often each head was in trouble, and what was changed for it.

    Attributes:
        more_reads, temper, beta: factors [L][H] on what the plan says, 1 at first.
    """

    def __init__(self, layers: int, heads: int) -> None:
        self.more_reads = torch.ones(layers, heads)
        self.temper = torch.ones(layers, heads)
        self.beta = torch.ones(layers, heads)
        self._trouble: Counter[tuple[str, int, int]] = Counter()

    def trouble(self, cause: str, layer: int, head: int, guard: Guard, ledger: Ledger) -> None:
        """Count trouble of a head; every `patience` times change what caused it.

        Args:
            cause: "error", "not finite" or "failure".
        """
        self._trouble[cause, layer, head] += 1
        if self._trouble[cause, layer, head] % guard.patience:
            return
        if cause == "error" and self.more_reads[layer, head] < 8:
            self.more_reads[layer, head] *= 2
            change = f"reads x {float(self.more_reads[layer, head]):g}"
        elif cause == "not finite" and self.temper[layer, head] > 0.1:
            self.temper[layer, head] *= 0.5
            change = f"τ x {float(self.temper[layer, head]):g}"
        else:
            lower = float(self.beta[layer, head]) * 0.5
            self.beta[layer, head] = lower if lower > 0.1 else 0.0
            change = f"β x {float(self.beta[layer, head]):g}"
        ledger.adjusted(layer, head, f"{cause} {guard.patience} times: {change} from now on")
