"""One weight taken apart: the splats on its path and the four shares (design §7)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hsa.attention.effective import CutRows, cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.errors import InputError
from hsa.explanation.shares import RowShares, row_shares
from hsa.field.splat_field import LEVELS, PHRASE

UNLABELLED: Mapping[int, str] = MappingProxyType({})
"""Where nothing was measured of what splats serve."""

Reading = Literal["near", "opened", "closed"]
State = Literal["closed", "below a closed splat", "opened", "replaced", "near only", "not needed"]

STATES: dict[State, str] = {
    "closed": "answered for all of its far keys at once",
    "below a closed splat": "its share is its part of that splat's keys",
    "opened": "its mass was evaluated, then its children's or its tokens' in its place",
    "replaced": "its only child with far keys stood for it at no cost",
    "near only": "holds only near keys for this query, so there was nothing to evaluate",
    "not needed": "the query read all of its far keys and evaluated no splat",
}


@dataclass(frozen=True)
class LevelShare:
    """One splat on the path of a key.

    Attributes:
        share: of its parent's mass; of the whole row's for a Document.
        mass: of the row's, the product of the shares down to here.
        specialisation: what the splat serves, where somebody has measured it.
    """

    level: str
    splat_id: int
    share: float
    mass: float
    state: State
    specialisation: str | None = None


@dataclass(frozen=True)
class PairExplanation:
    """A_ij = D·S·P·t of one query and key of one head.

    Attributes:
        path: the key's Document, Section and Phrase, with D, S and P.
        token_share: t, the key's share of its Phrase, tilt included.
        tilt_factor: 1 + θ_s·y·(x_j - x̄_s) under a closed splat; one for a token that was read.
        tilted: the factor is not one, and belongs to t.
        reading: whether the key was read as a near key, as an opened one, or not at all.
        product: D·S·P·t.
        weight: A_ij of the engine's sparse row, through the row's Z.
        contribution: ‖A_ij v_j‖, in the unit of the values.
    """

    layer: int
    head: int
    query: int
    key: int
    query_token: str
    key_token: str
    path: tuple[LevelShare, LevelShare, LevelShare]
    token_share: float
    tilt_factor: float
    tilted: bool
    reading: Reading
    product: float
    weight: float
    contribution: float

    @property
    def difference(self) -> float:
        """The first check of design §7: product of shares against the weight."""
        return abs(self.product - self.weight)


def explain_pair(
    result: HSAResult,
    layer: FramedLayer,
    strings: Sequence[str],
    head: int,
    query: int,
    key: int,
    labels: Mapping[int, str] = UNLABELLED,
) -> PairExplanation:
    """Take one weight apart.

    Args:
        strings: the text's tokens as a reader sees them.
        labels: what splats serve for this head, by id.

    Raises:
        InputError: a head, query or key that is not there, or a key that the query cannot see.
    """
    if not 0 <= key < layer.k.shape[1]:
        raise InputError(
            "There is no such key", got=f"position {key}", needed=f"0 to {layer.k.shape[1] - 1}"
        )
    (cut,) = cut_rows(result, layer, head, [query])
    return explain_entry(result, layer, strings, cut, row_shares(cut), 0, key, labels)


def explain_entry(
    result: HSAResult,
    layer: FramedLayer,
    strings: Sequence[str],
    cut: CutRows,
    shares: RowShares,
    at: int,
    key: int,
    labels: Mapping[int, str] = UNLABELLED,
) -> PairExplanation:
    """The pair of a row of `cut` and a key, from shares already at hand."""
    query = int(cut.queries[at])
    if not bool(cut.visible[at, key]):
        raise InputError(
            "This query cannot see this key",
            got=f"query {query}, key {key}",
            needed=f"a key at or before {query}: the model is causal",
            attempt="choose a cell on or below the diagonal",
        )
    ids = layer.field.splat_id[cut.head // layer.y.shape[1]]
    log_path = shares.path(cut)[at, key].tolist()
    splats = [int(ids[cut.row[cut.key_node[key, level]]]) for level in range(len(LEVELS))]
    path = tuple(
        LevelShare(
            level=name,
            splat_id=splats[level],
            share=math.exp(log_path[level]),
            mass=math.exp(sum(log_path[: level + 1])),
            state=_state(cut, at, key, level),
            specialisation=labels.get(splats[level]),
        )
        for level, name in enumerate(LEVELS)
    )
    factor = float(shares.tilt_factor[at, key])
    weight = float(cut.weights()[at, key])
    reading: Reading = "closed"
    if bool(cut.read[at, key]):
        reading = "near" if bool(cut.near[at, key]) else "opened"
    return PairExplanation(
        layer=result.layer,
        head=cut.head,
        query=query,
        key=key,
        query_token=strings[query],
        key_token=strings[key],
        path=(path[0], path[1], path[2]),
        token_share=math.exp(float(shares.of_phrase[at, key])) * factor,
        tilt_factor=factor,
        tilted=factor != 1.0,
        reading=reading,
        product=float(shares.product(cut)[at, key]),
        weight=weight,
        contribution=abs(weight) * float(cut.v[key].norm()),
    )


def _state(cut: CutRows, at: int, key: int, level: int) -> State:
    """What the cut did with the key's splat on one level."""
    above = [int(cut.key_node[key, upper]) for upper in range(level)]
    node = int(cut.key_node[key, level])
    if bool(cut.whole[at]):
        return "not needed"
    if float(cut.count[node]) == 0:
        return "near only"
    if bool(cut.closed[at, node]):
        return "closed"
    if any(bool(cut.closed[at, upper]) for upper in above):
        return "below a closed splat"
    if bool(cut.opened[at, node]):
        return "opened"
    assert level < PHRASE, "a Phrase that is not empty is closed or opened"
    return "replaced"
