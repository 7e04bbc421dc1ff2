"""The portraits of one splat in two cases: this case and the pinned reference, and what differs.

Both are of one layer, head and id. Ids are kept while a field is adapted, so in two fields of one
origin they name one splat; a splat of another level is certainly another one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.errors import InputError
from hsa.evaluation.paired_number import PairedNumber, Unit
from hsa.specialization.portrait import Portrait
from hsa.specialization.profiles import position_edges, summed
from hsa.specialization.states import MEANS


@dataclass(frozen=True)
class PairedProfile:
    """Mass over the same bins of tokens in both; bin b is edges[b] up to edges[b + 1] - 1.

    Masses are shares of all attention of the head in their own case, as in `Profile`.
    """

    edges: Int[Tensor, " B+1"]
    case_standard: Float[Tensor, " B"]
    case_hsa: Float[Tensor, " B"]
    reference_standard: Float[Tensor, " B"]
    reference_hsa: Float[Tensor, " B"]


@dataclass(frozen=True)
class PairedToken:
    """A token by its string: how often the splat holds it, and what all of these receive.

    Attributes:
        case_received, reference_received: shares of all attention of the head, standard.
    """

    token: str
    case_count: int
    reference_count: int
    case_received: float
    reference_received: float


@dataclass(frozen=True)
class PairedPortrait:
    """One splat in both cases.

    Attributes:
        numbers: of both, with their differences.
        tokens: all that either holds, those that receive most in either first.
    """

    case: Portrait
    reference: Portrait
    numbers: tuple[PairedNumber, ...]
    positions: PairedProfile
    distances: PairedProfile
    tokens: tuple[PairedToken, ...]

    @property
    def same_level(self) -> bool:
        """False where the ids name two different splats for sure."""
        return self.case.level == self.reference.level


def paired_portrait(case: Portrait, reference: Portrait) -> PairedPortrait:
    """Set two portraits side by side.

    Raises:
        InputError: of two layers or two ids.
    """
    if (case.layer, case.splat_id) != (reference.layer, reference.splat_id):
        raise InputError(
            "These two portraits cannot be paired",
            got=f"splat {case.splat_id} of layer {case.layer} and splat {reference.splat_id} of "
            f"layer {reference.layer}",
            needed="one layer and one id",
        )
    return PairedPortrait(
        case,
        reference,
        (*_numbers(case, reference), *_states(case, reference)),
        _positions(case, reference),
        _distances(case, reference),
        _tokens(case, reference),
    )


def _numbers(case: Portrait, reference: Portrait) -> tuple[PairedNumber, ...]:
    def pair(title: str, unit: Unit, meaning: str, values: list[float]) -> PairedNumber:
        return PairedNumber(title, unit, meaning, *values)

    both = (case, reference)
    return (
        pair("Tokens of the text", "count", "T of each prompt.", [of.tokens for of in both]),
        pair("Tokens held", "count", "Keys that are routed to the splat, on its level.",
             [len(of.positions) for of in both]),
        pair("Mass, standard", "share", "Share of all attention of the head that its keys receive.",
             [of.mass_standard for of in both]),
        pair("Mass, HSA", "share", "The same in HSA.", [of.mass_hsa for of in both]),
        pair("Far mass, standard", "share", "Of its keys while they are far.",
             [of.far_standard for of in both]),
        pair("Far mass, HSA", "share", "The same in HSA.", [of.far_hsa for of in both]),
        pair("Output moved by", "share", "What its closed answers moved the output by (RMS).",
             [of.error.moved for of in both]),
        pair("Part of the head's error", "share",
             "Of the squared error; negative where it cancels what others do wrong.",
             [_part(of) for of in both]),
        pair("Error of the whole head", "share", "‖Ô − O‖ / ‖O‖.",
             [of.error.head_error for of in both]),
        pair("Spread in the prompt", "logits",
             "RMS distance of its keys from their mean; it takes two keys.",
             [of.prompt_spread if len(of.positions) > 1 else float("nan") for of in both]),
        pair("Spread in the field", "logits", "The same over the texts of the fit.",
             [of.field_spread for of in both]),
        pair("Prior share", "share", "Of its level's keys over the texts of the fit.",
             [of.prior for of in both]),
    )  # fmt: skip


def _part(of: Portrait) -> float:
    """The splat's part of the head's squared error; NaN where the head errs nowhere."""
    return of.error.error / of.error.head_error**2 if of.error.head_error else float("nan")


def _states(case: Portrait, reference: Portrait) -> tuple[PairedNumber, ...]:
    """Shares of the queries by state, those that occur in either."""
    shares = [{state.state: state.share for state in of.states} for of in (case, reference)]
    return tuple(
        PairedNumber(
            f"Queries: {state}", "share", f"{meaning[0].upper()}{meaning[1:]}.",
            *(of.get(state, 0.0) for of in shares),
        )
        for state, meaning in MEANS.items()
        if any(state in of for of in shares)
    )  # fmt: skip


def _positions(case: Portrait, reference: Portrait) -> PairedProfile:
    """Bins of the longer text, so that a place is the same place in both."""
    edges = position_edges(max(case.tokens, reference.tokens))
    return PairedProfile(
        edges,
        *(
            summed(edges, of.positions, received)
            for of in (case, reference)
            for received in (of.received_standard, of.received_hsa)
        ),
    )


def _distances(case: Portrait, reference: Portrait) -> PairedProfile:
    """Distances double from bin to bin: the longer text only has further ones."""
    profiles = (case.distance_profile, reference.distance_profile)
    edges = max((of.edges for of in profiles), key=len)

    def filled(mass: Float[Tensor, " B"]) -> Float[Tensor, " C"]:
        return torch.cat([mass, mass.new_zeros(edges.numel() - 1 - mass.numel())])

    return PairedProfile(
        edges, *(filled(mass) for of in profiles for mass in (of.standard, of.hsa))
    )


def _tokens(case: Portrait, reference: Portrait) -> tuple[PairedToken, ...]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    received: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for place, of in enumerate((case, reference)):
        for token, weight in zip(of.strings, of.received_standard.tolist(), strict=True):
            counts[token][place] += 1
            received[token][place] += weight
    order = sorted(counts, key=lambda token: (-max(received[token]), token))
    return tuple(PairedToken(token, *counts[token], *received[token]) for token in order)
