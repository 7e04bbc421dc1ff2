"""Three checks of every explanation, all able to fail (design §7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from hsa.attention.effective import cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.explanation.contributors import closed_levels, negative_mass, tilt_switched_off
from hsa.explanation.shares import row_shares

LIMIT = 1e-5
"""What the checks may reach in float32."""

BLOCKED_LIMIT = 1e-4
"""The same of an output that blocked HSA gave: its logits are float32 products, which the
reference rounds once (1.6e-5 in layer 18, head 7 of SmolLM2 on 2,017 tokens of Moby-Dick)."""


@dataclass(frozen=True)
class ExplanationCheck:
    """The largest differences found, and over what.

    Attributes:
        product: |D·S·P·t - A_ij| / |A_ij|, shares against the engine's sparse row.
        row_sum: |Σ_j A_ij - 1|.
        output: ‖Σ_j A_ij v_j - o_i‖ / ‖o_i‖, token by token against the engine's output.
        closed_rows: rows with a closed Document, Section and Phrase.
        whole_rows: rows that read all their far keys.
        negative_mass: the largest share of a row's mass in negative weights.
        untilted_rows: rows whose tilt was switched off for it.
    """

    product: float
    row_sum: float
    output: float
    pairs: int
    rows: int
    closed_rows: tuple[int, int, int]
    whole_rows: int
    negative_mass: float
    untilted_rows: int

    @property
    def passed(self) -> bool:
        """All three within the limit; a difference that is not a number fails."""
        return all(value <= LIMIT for value in (self.product, self.row_sum, self.output))

    @staticmethod
    def join(parts: Iterable[ExplanationCheck]) -> ExplanationCheck:
        """Maxima of maxima and sums of counts."""
        checks = list(parts)

        def largest(name: str) -> float:
            values = torch.tensor([getattr(check, name) for check in checks], dtype=torch.float64)
            return float(values.max()) if checks else 0.0

        closed = [sum(check.closed_rows[level] for check in checks) for level in range(3)]
        return ExplanationCheck(
            product=largest("product"),
            row_sum=largest("row_sum"),
            output=largest("output"),
            pairs=sum(check.pairs for check in checks),
            rows=sum(check.rows for check in checks),
            closed_rows=(closed[0], closed[1], closed[2]),
            whole_rows=sum(check.whole_rows for check in checks),
            negative_mass=largest("negative_mass"),
            untilted_rows=sum(check.untilted_rows for check in checks),
        )


def check_explanations(
    result: HSAResult, layer: FramedLayer, heads: Sequence[int] | None = None
) -> ExplanationCheck:
    """Check every pair of every row of the heads asked for."""
    chosen = range(result.output.shape[0]) if heads is None else heads
    every = torch.ones(result.queries.numel(), layer.k.shape[1], dtype=torch.bool)
    return ExplanationCheck.join(
        _check_head(result, layer, head, result.queries.cpu(), every) for head in chosen
    )


def check_pairs(
    result: HSAResult, layer: FramedLayer, pairs: Int[Tensor, "K 3"]
) -> ExplanationCheck:
    """Check (head, query, key) triples, and the rows that they stand in.

    Pairs of a key that the query cannot see are left out.
    """
    parts = []
    for head in pairs[:, 0].unique().tolist():
        own = pairs[pairs[:, 0] == head]
        queries, row = own[:, 1].unique(return_inverse=True)
        wanted = torch.zeros(queries.numel(), layer.k.shape[1], dtype=torch.bool)
        wanted[row, own[:, 2]] = True
        parts.append(_check_head(result, layer, head, queries, wanted))
    return ExplanationCheck.join(parts)


def _check_head(
    result: HSAResult,
    layer: FramedLayer,
    head: int,
    queries: Int[Tensor, " Q"],
    wanted: Bool[Tensor, "Q T"],
) -> ExplanationCheck:
    parts = []
    for cut in cut_rows(result, layer, head, queries):
        weights = cut.weights()
        compared = wanted[cut.place] & cut.visible
        difference = (row_shares(cut).product(cut) - weights).abs()
        # Weights too small for a float64 are zero on both sides.
        relative = (difference / weights.abs().clamp_min(1e-300))[compared]
        output = (weights @ cut.v - cut.output).norm(dim=1)
        closed = closed_levels(cut).sum(0).tolist()
        parts.append(
            ExplanationCheck(
                product=float(relative.max()) if relative.numel() else 0.0,
                row_sum=float((weights.sum(1) - 1).abs().max()),
                output=float((output / cut.output.norm(dim=1).clamp_min(1e-30)).max()),
                pairs=int(compared.sum()),
                rows=cut.queries.numel(),
                closed_rows=(closed[0], closed[1], closed[2]),
                whole_rows=int(cut.whole.sum()),
                negative_mass=float(negative_mass(cut).max()),
                untilted_rows=int(tilt_switched_off(cut, layer).sum()),
            )
        )
    return ExplanationCheck.join(parts)
