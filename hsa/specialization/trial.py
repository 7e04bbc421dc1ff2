"""How far the procedure is to be trusted: functions planted and found, labels shuffled and not.

Both are made from the keys of a real layer. Planted splats are known to hold a function at a
given purity; shuffled labels are known to belong to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from hsa.field.layer_field import LayerField
from hsa.specialization.claims import Claims, claims, claims_of
from hsa.specialization.functions import TOKEN_FUNCTIONS, named
from hsa.specialization.layer_keys import LayerKeys
from hsa.specialization.layer_tally import OTHER, LayerTally
from hsa.specialization.strata import BY_TEXT
from hsa.specialization.tally import HALVES, Tally


@dataclass(frozen=True)
class Power:
    """Splats planted with one function at one purity and size.

    Attributes:
        keys: held by each planted splat in each half of the corpus.
        found: of them claimed for the function; `right` of them with it as the most telling one.
        claims: all that was claimed, of `beside` splats that hold keys at random too; `false` of
            these.
    """

    function: str
    purity: float
    keys: int
    planted: int
    found: int
    right: int
    claims: int
    false: int
    beside: int


def planted(
    keys: Sequence[LayerKeys], function: str, purity: float, size: int, splats: int, seed: int
) -> Power:
    """Plant splats that hold a function at a purity, among as many that hold keys at random.

    Keys that are not the function's, and all keys of the others, are drawn at random without
    replacement; what nobody drew belongs to one splat more.
    """
    random = torch.Generator().manual_seed(seed)
    where = named("token")[function]
    owners = [torch.full((len(part.ids),), 2 * splats) for part in keys]
    possible = splats
    for half in range(HALVES):
        parts = [at for at, part in enumerate(keys) if part.place.half == half]
        has = torch.cat([keys[at].token[:, where] for at in parts])
        owner = torch.full((len(has),), 2 * splats)
        order = torch.randperm(len(has), generator=random)
        own, others = order[has[order]], order[~has[order]]
        pure = round(purity * size)
        possible = min(possible, len(own) // max(1, pure))
        for splat in range(splats):
            chosen = torch.cat(
                [own[splat * pure : (splat + 1) * pure],
                 others[splat * (size - pure) : (splat + 1) * (size - pure)]]
            )  # fmt: skip
            owner[chosen] = splat
        free = (owner == 2 * splats).nonzero().squeeze(1)
        free = free[torch.randperm(len(free), generator=random)]
        for splat in range(splats):
            owner[free[splat * size : (splat + 1) * size]] = splats + splat
        for at, part in zip(parts, owner.split([len(keys[at].ids) for at in parts]), strict=True):
            owners[at] = part
    found = claims(_tally(keys, owners, 2 * splats + 1))
    return _power(found, function, purity, size, splats, possible)


def _tally(keys: Sequence[LayerKeys], owners: Sequence[Int[Tensor, " K"]], splats: int) -> Tally:
    tally = Tally.empty(1, splats, len(OTHER), BY_TEXT)
    for part, owner in zip(keys, owners, strict=True):
        tally.add(
            part.place.half, part.place.block, owner.view(1, -1, 1).expand(1, -1, 3),
            part.text.unsqueeze(0), torch.ones(1, len(owner)), part.token[:, OTHER].float()[None],
        )  # fmt: skip
    return tally


def _power(
    found: Claims, function: str, purity: float, size: int, splats: int, possible: int
) -> Power:
    names = [TOKEN_FUNCTIONS[place].name for place in OTHER]
    best: dict[int, tuple[float, str]] = {}
    hits: set[int] = set()
    false = made = 0
    rows = zip(found.row.tolist(), found.function.tolist(), found.bits.tolist(), strict=True)
    for row, place, told in rows:
        if row == 2 * splats:
            continue
        made += 1
        if row >= splats:
            false += 1
            continue
        hits |= {row} if names[place] == function else set()
        best[row] = max(best.get(row, (0.0, "")), (told, names[place]))
    return Power(
        function, purity, size, planted=possible,
        found=sum(row < possible for row in hits),
        right=sum(row < possible and name == function for row, (_, name) in best.items()),
        claims=made, false=false, beside=splats,
    )  # fmt: skip


@dataclass(frozen=True)
class Shuffled:
    """Claims made of one layer when labels are shuffled within strata of position and frequency.

    Attributes:
        families: heads tested; all splats and functions of one are one family of tests.
        with_claims: of them with any claim at all, each of which is false.
    """

    tests: int
    claims: int
    families: int
    with_claims: int


def shuffled(field: LayerField, keys: Sequence[LayerKeys], seed: int) -> Shuffled:
    """Shuffle what keys have, within strata of position and frequency, over the whole corpus.

    Splats keep their keys, and keys the attention that they receive. Functions that are positions
    are left out, since they survive such a shuffle.
    """
    random = torch.Generator().manual_seed(seed)
    text = torch.cat([part.text for part in keys])
    order = torch.arange(len(text))
    for stratum in text.unique():
        own = (text == stratum).nonzero().squeeze(1)
        order[own] = own[torch.randperm(len(own), generator=random)]
    token = torch.cat([part.token for part in keys])[order]
    through = torch.cat([part.through for part in keys], dim=1)[:, order]
    tally = LayerTally.empty(field)
    at = 0
    for part in keys:
        mine = slice(at, at + len(part.ids))
        tally.add(replace(part, token=token[mine], through=through[:, mine]))
        at += len(part.ids)
    tests = made = families = struck = 0
    for found, _, places in claims_of(tally):
        if len(places) < len(OTHER) and len(found.tests) == field.groups:
            continue  # positions
        tests += int(found.tests.sum())
        made += len(found.head)
        families += len(found.tests)
        struck += len(found.head.unique())
    return Shuffled(tests, made, families, struck)
