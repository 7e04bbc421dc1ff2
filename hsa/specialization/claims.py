"""Which functions splats are said to serve: found in one half of the corpus, held in the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.specialization.association import Association, association, benjamini_hochberg, bits
from hsa.specialization.functions import PAIR_FUNCTIONS, Kind
from hsa.specialization.layer_tally import OTHER, POSITIONAL, LayerTally
from hsa.specialization.tally import Tally

LEVEL = 0.05
"""False discovery rate in the half that finds, and error level in the half that confirms."""

LEAST_KEYS = 5
"""Keys with the function that a splat holds in the half that finds; fewer are not tested."""

LEAST_CONFIRMING = 3


@dataclass(frozen=True)
class Claims:
    """Functions that hold in both halves, one row each; figures of the half that confirms.

    That half did not choose, so that its figures are not flattered by the choice.

    Attributes:
        head: place among the heads of the tally; `row` a splat's in the field.
        function: place among the functions of the kind.
        share, expected: the part of the splat's weight that has the function, and of like keys'.
        odds, low, high: log of the ratio of their odds in nats, with its 95 % interval.
        bits: what the function tells of the splat at least, per key or unit of attention: at the
            lower end of the interval.
        q: Benjamini-Hochberg's, of the half that found it; `p` of the half that confirms.
        support: keys with the function in the half that confirms.
        tests: how many were made for each head.
    """

    head: Int[Tensor, " K"]
    row: Int[Tensor, " K"]
    function: Int[Tensor, " K"]
    share: Float[Tensor, " K"]
    expected: Float[Tensor, " K"]
    odds: Float[Tensor, " K"]
    low: Float[Tensor, " K"]
    high: Float[Tensor, " K"]
    bits: Float[Tensor, " K"]
    q: Float[Tensor, " K"]
    p: Float[Tensor, " K"]
    support: Float[Tensor, " K"]
    tests: Int[Tensor, " A"]


def claims(tally: Tally) -> Claims:
    """Test every splat and function of every head; all of a head are one family of tests."""
    found, again = association(tally, 0), association(tally, 1)
    tested = _testable(tally, found)
    q = torch.stack(
        [
            benjamini_hochberg(p.flatten(), of.flatten()).view_as(p)
            for p, of in zip(found.p, tested, strict=True)
        ]
    )
    held = (
        (q <= LEVEL) & (found.odds > 0) & (again.p <= LEVEL) & (again.low > 0)
        & (again.support >= LEAST_CONFIRMING)
    )  # fmt: skip
    head, row, function = held.nonzero().unbind(1)

    def at(values: Tensor) -> Tensor:
        return values[head, row, function].float()

    return Claims(
        head, row, function, at(again.share), at(again.expected), at(again.odds), at(again.low),
        at(again.high), at_least(at(again.expected), at(again.low)), at(q), at(again.p),
        at(again.support), tested.flatten(1).sum(1),
    )  # fmt: skip


def at_least(expected: Float[Tensor, " K"], low: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
    """Bits at the share that the lower end of the interval stands for."""
    share = torch.sigmoid(torch.logit(expected.clamp(1e-9, 1 - 1e-9)) + low)
    return bits(share, expected)


def claims_of(tally: LayerTally) -> list[tuple[Claims, Kind, Sequence[int]]]:
    """All claims of a layer, with the places of their functions among those of the kind."""
    return [
        (claims(tally.held), "token", OTHER),
        (claims(tally.placed), "token", POSITIONAL),
        (claims(tally.carried), "pair", range(len(PAIR_FUNCTIONS))),
    ]


def _testable(tally: Tally, found: Association) -> Bool[Tensor, "A N F"]:
    """Enough keys have the function, and it could have come out otherwise."""
    return (found.support >= LEAST_KEYS) & (found.p < 1) & (tally.keys[:, 0].unsqueeze(-1) > 0)
