"""The portrait of a splat: what it stands for in one query head and one prompt.

A splat holds every key that is routed to it, on its level: a Document holds its Phrases' keys.
Masses are shares of all attention of the head: Σ_i Σ_j A_ij over the splat's keys j, divided by
the number of queries, so the mass of a level's splats adds up to 1. Near keys are always read as
tokens, whatever becomes of their splat; their part is told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.effective import CutRows, cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.errors import InputError
from hsa.field.by_id import node_of_row, splat_row
from hsa.field.splat_field import LEVELS
from hsa.specialization.carried import CarriedPair, PairsSoFar
from hsa.specialization.closed_error import ClosedError, ErrorSoFar
from hsa.specialization.family import Family, Received, family, keys_of
from hsa.specialization.profiles import Profile, distance_edges, position_edges, summed
from hsa.specialization.states import StateShare, add_states, no_states, state_shares

PAIRS = 12


@dataclass(frozen=True)
class Portrait:
    """One splat of one query head in a prompt of T tokens.

    Attributes:
        positions: its K keys of this prompt, in the order of the text.
        received_standard, received_hsa: share of all attention that each key receives.
        given_standard, given_hsa: share of its own row that each query of the text, held or not,
            gives to the splat's keys.
        mass_standard, mass_hsa: of all its keys; `far_standard`, `far_hsa` of its far keys, for
            which alone the splat may answer.
        states: what became of the splat, as shares of the queries; they sum to 1.
        prior: its share of keys over the texts of the fit, of its level.
        field_spread: √Σσ² of the field, the RMS distance of its keys from their mean, in logits.
        prompt_spread: the same of its keys in this prompt; 0 for fewer than two.
        pairs, far_pairs: (query → key) pairs of most weight in standard attention; far keys alone.
        lineage: sentences of a log, None where no log is at hand.
    """

    layer: int
    splat_id: int
    level: str
    tokens: int
    positions: Int[Tensor, " K"]
    strings: tuple[str, ...]
    received_standard: Float[Tensor, " K"]
    received_hsa: Float[Tensor, " K"]
    given_standard: Float[Tensor, " T"]
    given_hsa: Float[Tensor, " T"]
    mass_standard: float
    mass_hsa: float
    far_standard: float
    far_hsa: float
    states: tuple[StateShare, ...]
    error: ClosedError
    prior: float
    field_spread: float
    prompt_spread: float
    position_profile: Profile
    distance_profile: Profile
    pairs: tuple[CarriedPair, ...]
    far_pairs: tuple[CarriedPair, ...]
    family: Family
    lineage: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Its level and id."""
        return f"{self.level} {self.splat_id}"


def portrait(
    result: HSAResult,
    layer: FramedLayer,
    strings: Sequence[str],
    head: int,
    splat_id: int,
    lineage: Sequence[str] | None = None,
) -> Portrait:
    """Look at one splat; a block of queries is in memory at a time.

    Args:
        result: HSA of every query of the text.
        layer: what `result` was computed from, by `into_layer`.
        head: counted within the result.

    Raises:
        FieldError: no splat of this head has that id.
        InputError: no such head, or a result of some queries only.
    """
    tokens = layer.k.shape[1]
    if result.queries.numel() != tokens:
        raise InputError(
            "A portrait needs every query of the text",
            got=f"{result.queries.numel():,} of {tokens:,}",
            needed="HSA computed for all of them",
        )
    group = head // layer.y.shape[1]
    row = splat_row(layer.field, group, splat_id)
    seen = _Seen(layer, group, row, strings)
    for cut in cut_rows(result, layer, head):
        seen.add(cut)
    return seen.portrait(layer, group, row, None if lineage is None else tuple(lineage))


class _Seen:
    """Sums over the queries that were looked at so far."""

    def __init__(self, layer: FramedLayer, group: int, row: int, strings: Sequence[str]) -> None:
        tokens = layer.k.shape[1]
        self.strings = tuple(strings)
        self.own = keys_of(layer, group, row)
        self.node = node_of_row(layer.tree, group, row)
        self.level = int(layer.field.level[group, row])
        self.edges = distance_edges(tokens)

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64)

        self.received = {name: zeros(tokens) for name in ("standard", "hsa")}
        self.given = {name: zeros(tokens) for name in ("standard", "hsa")}
        self.far: dict[str, float] = dict.fromkeys(("standard", "hsa"), 0.0)
        bins = self.edges.numel() - 1
        self.distance = {name: zeros(bins) for name in ("standard", "hsa", "head", "pairs")}
        self.states = no_states()
        self.error = ErrorSoFar()
        self.pairs, self.far_pairs = PairsSoFar(PAIRS), PairsSoFar(PAIRS)

    def add(self, cut: CutRows) -> None:
        """One block of queries."""
        exact = cut.logits.masked_fill(~cut.visible, -torch.inf).softmax(1)
        hsa, own = cut.weights(), self.own
        between = (cut.queries.unsqueeze(1) - torch.arange(own.numel())).abs()
        self.distance["head"] += summed(self.edges, between, exact)
        seen = cut.visible[:, own]
        self.distance["pairs"] += summed(self.edges, between[:, own], seen.double())
        for name, weight in (("standard", exact), ("hsa", hsa)):
            held = weight[:, own]
            self.received[name] += weight.sum(0)
            self.given[name][cut.queries] = held.sum(1)
            self.far[name] += float(held[:, cut.far[own]].sum())
            self.distance[name] += summed(self.edges, between[:, own], held)
        add_states(self.states, cut, self.node)
        self.error.add(cut, exact, hsa, own & cut.far, self.node)
        self.pairs.add(cut, exact, hsa, own)
        self.far_pairs.add(cut, exact, hsa, own & cut.far)

    def portrait(
        self, layer: FramedLayer, group: int, row: int, lineage: tuple[str, ...] | None
    ) -> Portrait:
        """All that was seen, per query."""
        tokens = self.own.numel()
        positions = self.own.nonzero().flatten()
        standard, hsa = (self.received[name] / tokens for name in ("standard", "hsa"))
        field = layer.field
        return Portrait(
            layer=layer.activations.layer,
            splat_id=int(field.splat_id[group, row]),
            level=LEVELS[self.level],
            tokens=tokens,
            positions=positions,
            strings=tuple(self.strings[at] for at in positions.tolist()),
            received_standard=standard[positions],
            received_hsa=hsa[positions],
            given_standard=self.given["standard"],
            given_hsa=self.given["hsa"],
            mass_standard=float(standard[positions].sum()),
            mass_hsa=float(hsa[positions].sum()),
            far_standard=self.far["standard"] / tokens,
            far_hsa=self.far["hsa"] / tokens,
            states=state_shares(self.states),
            error=self.error.result(),
            prior=float(field.log_amplitude[group, row].exp()),
            field_spread=float(field.log_spread[group, row].double().exp().sum().sqrt()),
            prompt_spread=_spread(layer.x[group].cpu()[self.own]),
            position_profile=_positions(self.own, standard, hsa),
            distance_profile=Profile(
                self.edges,
                self.distance["pairs"].long(),
                *(self.distance[name] / tokens for name in ("standard", "hsa", "head")),
            ),
            pairs=self.pairs.ranked(self.strings),
            far_pairs=self.far_pairs.ranked(self.strings),
            family=family(layer, group, row, Received(standard, hsa, self.strings)),
            lineage=lineage,
        )


def _positions(own: Bool[Tensor, " T"], standard: Tensor, hsa: Tensor) -> Profile:
    edges = position_edges(own.numel())
    place = torch.arange(own.numel())
    return Profile(
        edges,
        summed(edges, place, own.double()).long(),
        *(summed(edges, place, weight) for weight in (standard * own, hsa * own, standard)),
    )


def _spread(x: Float[Tensor, "K D"]) -> float:
    """√Σs², the RMS distance of keys from their mean."""
    return float(x.double().var(0, correction=0).sum().sqrt()) if x.shape[0] > 1 else 0.0
