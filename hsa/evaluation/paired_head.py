"""One head in two cases: this case and the pinned reference, in numbers and cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.effective import cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.errors import InputError
from hsa.evaluation.agreement import TOP, HeadComparison, Measure
from hsa.evaluation.head_grid import ANSWERED_BY
from hsa.evaluation.paired_number import PairedNumber, Unit
from hsa.field.splat_field import DOCUMENT, PHRASE, SECTION


def answered_mass(result: HSAResult, layer: FramedLayer, head: int) -> Float[Tensor, " 5"]:
    """Share of HSA's attention mass by what answers for it, as in ANSWERED_BY; mean over queries.

    The same numbers as the grid's `mass`, of the queries that the result holds.
    """
    rows = []
    for cut in cut_rows(result, layer, head):
        log_z = cut.log_z.unsqueeze(1)
        read = (cut.logits.masked_fill(~cut.read, -torch.inf) - log_z).exp()
        near = (read * cut.near).sum(1)
        closed = (cut.log_mass - log_z).exp()
        by_level = [(closed * (cut.level == level)).sum(1) for level in (PHRASE, SECTION, DOCUMENT)]
        rows.append(torch.stack([near, read.sum(1) - near, *by_level], dim=1))
    return torch.cat(rows).mean(0)


def paired_numbers(
    case: HeadComparison,
    case_mass: Float[Tensor, " 5"],
    reference: HeadComparison,
    reference_mass: Float[Tensor, " 5"],
) -> tuple[PairedNumber, ...]:
    """Agreement, reads, and what answers, of one head in both; means over their own queries."""
    both = (case, reference)

    def pair(title: str, unit: Unit, meaning: str, values: list[float]) -> PairedNumber:
        return PairedNumber(title, unit, meaning, *values)

    def mean(title: str, unit: Unit, meaning: str, tensors: list[Tensor]) -> PairedNumber:
        return pair(title, unit, meaning, [float(of.double().mean()) for of in tensors])

    return (
        pair("Error of HSA", "share", "‖Ô − O‖ / ‖O‖ over the queries.",
             [of.error for of in both]),
        pair("Error without splats", "share", "The same with the closed splats dropped.",
             [of.opened_only_error for of in both]),
        mean("Total variation", "number", "½ Σ |Â − A| of a row.",
             [of.agreement.total_variation for of in both]),
        mean("KL", "nats", "KL(HSA ‖ standard) of a row, weights before the tilt.",
             [of.agreement.kl_nats for of in both]),
        mean(f"Top-{TOP} overlap", "share", "Of standard attention's heaviest keys.",
             [of.agreement.top_overlap for of in both]),
        mean("Reads per query", "count", "Splats evaluated and far tokens read.",
             [of.reads for of in both]),
        mean("Near tokens per query", "count", "Read as tokens whatever is asked for.",
             [of.near_keys for of in both]),
        mean("Keys of standard attention", "count", "That a query may see.",
             [of.visible_keys for of in both]),
        mean("Queries with a closed splat", "share", "Answered by one at least.",
             [of.closed for of in both]),
        *(
            pair(f"Mass: {name}", "share", f"Share of HSA's attention that {name} answer for.",
                 [float(case_mass[place]), float(reference_mass[place])])
            for place, name in enumerate(ANSWERED_BY)
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class PairedWeights:
    """HSA's weights of one head in two aligned cases; difference is case - reference."""

    case: Float[Tensor, "Q K"]
    reference: Float[Tensor, "Q K"]
    difference: Float[Tensor, "Q K"]


def paired_weights(
    case: HeadComparison, reference: HeadComparison, measure: Measure, keys: slice = slice(None)
) -> PairedWeights:
    """Subtract HSA's weights, or ‖A_ij v_j‖, cell by cell.

    Args:
        keys: the columns to give.

    Raises:
        InputError: of other queries or keys.
    """
    _check_cells(case, reference)
    own, other = case.maps(measure, keys)[1], reference.maps(measure, keys)[1]
    return PairedWeights(own, other, own - other)


@dataclass(frozen=True)
class RowsApart:
    """½ Σ_j |A_ij - A'_ij| between two aligned cases, mean over the rows, of either attention.

    Standard attention's is zero where only the fields or the reads differ.
    """

    hsa: float
    standard: float


def rows_apart(case: HeadComparison, reference: HeadComparison) -> RowsApart:
    """How far the rows of two cases are apart, over all their keys.

    Raises:
        InputError: of other queries or keys.
    """
    _check_cells(case, reference)
    return RowsApart(_apart(case.hsa, reference.hsa), _apart(case.standard, reference.standard))


def _check_cells(case: HeadComparison, reference: HeadComparison) -> None:
    if case.hsa.shape != reference.hsa.shape or not torch.equal(case.queries, reference.queries):
        raise InputError(
            "The cells of these two heads cannot be paired",
            got=f"{tuple(case.hsa.shape)} and {tuple(reference.hsa.shape)} queries and keys",
            needed="the same queries and keys in both",
            attempt="pin a prompt of the same number of tokens",
        )


def _apart(own: Float[Tensor, "Q T"], other: Float[Tensor, "Q T"]) -> float:
    return float(0.5 * (own - other).abs().sum(1).double().mean())
