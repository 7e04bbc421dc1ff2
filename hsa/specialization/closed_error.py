"""How wrong a splat's closed answer is: beside exact attention on the same keys (design §8).

The same numbers as the evidence that adaptation goes by (`hsa.adaptation.evidence`), of one query
head and one prompt, over all of its queries.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.attention.effective import CutRows


@dataclass(frozen=True)
class ClosedError:
    """What closing the splat did, over the queries that closed it; zeros where none did.

    Errors are squares in units of the head's mean ‖o‖², averaged over all queries.

    Attributes:
        queries: that left it closed.
        error: its share of ‖ô - o‖²; negative where it cancels what other splats do wrong.
        mass_error: ‖(m̂ - m)(v̄ - o)‖², what a wrong mass moved the output by.
        value_error: ‖m̂ (v̂ - v̄)‖², what a wrong mean value moved it by.
        closed_mass, exact_mass: m̂ and m of those queries, mean over them, in shares of a row.
        head_error: ‖Ô - O‖ / ‖O‖ of the whole head.
    """

    queries: int
    error: float
    mass_error: float
    value_error: float
    closed_mass: float
    exact_mass: float
    head_error: float

    @property
    def moved(self) -> float:
        """How far its closed answer moved the head's output, as a share of its length (RMS)."""
        return (self.mass_error + self.value_error) ** 0.5


@dataclass
class ErrorSoFar:
    """Sums over the blocks of queries seen."""

    rows: int = 0
    closed: int = 0
    sums: Float[Tensor, " 7"] = field(default_factory=lambda: torch.zeros(7, dtype=torch.float64))

    def add(
        self,
        cut: CutRows,
        exact: Float[Tensor, "Q T"],
        hsa: Float[Tensor, "Q T"],
        keys: Bool[Tensor, " T"],
        node: int | None,
    ) -> None:
        """One block, both attentions' weights, and the splat's far keys."""
        wanted = exact @ cut.v
        away = cut.output - wanted
        parts = torch.zeros(5, dtype=torch.float64)
        if node is not None and bool(cut.closed[:, node].any()):
            rows = cut.closed[:, node]
            parts = _closed(cut, exact, hsa, keys, node, away)
            self.closed += int(rows.sum())
        norms = torch.stack([away.square().sum(), wanted.square().sum()])
        self.sums = self.sums + torch.cat([parts, norms])
        self.rows += cut.queries.numel()

    def result(self) -> ClosedError:
        """Means over the queries."""
        error, by_mass, by_value, closed, exact, wrong, norm = self.sums.tolist()
        unit, rows = max(norm, 1e-30), max(self.closed, 1)
        return ClosedError(
            queries=self.closed,
            error=error / unit,
            mass_error=by_mass / unit,
            value_error=by_value / unit,
            closed_mass=closed / rows,
            exact_mass=exact / rows,
            head_error=(wrong / unit) ** 0.5,
        )


def _closed(
    cut: CutRows,
    exact: Float[Tensor, "Q T"],
    hsa: Float[Tensor, "Q T"],
    keys: Bool[Tensor, " T"],
    node: int,
    away: Float[Tensor, "Q V"],
) -> Float[Tensor, " 5"]:
    """Sums over the rows that closed the node; m = Σ exp(q·k) / Ẑ over its keys."""
    rows = cut.closed[:, node]
    wanted = exact[rows] @ cut.v
    log_z = cut.log_z[rows].unsqueeze(1)
    mass = (cut.log_mass[rows, node] - log_z.squeeze(1)).exp()
    token = (cut.logits[rows][:, keys] - log_z).exp()
    true_mass = token.sum(1)
    value = cut.v[keys]
    mean = token @ value / true_mass.clamp_min(1e-12).unsqueeze(1)
    mean = torch.where((true_mass > 1e-12).unsqueeze(1), mean, value.mean(0))
    answered = hsa[rows][:, keys] @ value
    by_mass = (mass - true_mass).unsqueeze(1) * (mean - wanted)
    by_value = answered - mass.unsqueeze(1) * mean
    return torch.stack(
        [
            ((by_mass + by_value) * away[rows]).sum(),
            by_mass.square().sum(),
            by_value.square().sum(),
            mass.sum(),
            exact[rows][:, keys].sum(),
        ]
    )
