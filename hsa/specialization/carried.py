"""The (query → key) pairs that a splat carries most: those of its keys with most weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.effective import CutRows


@dataclass(frozen=True)
class CarriedPair:
    """A query and one of the splat's keys.

    Attributes:
        standard, hsa: the weight A_ij in each attention.
        contribution: ‖A_ij v_j‖ in standard attention: weight is not contribution.
        reading: how HSA read the key for this query.
    """

    query: int
    key: int
    query_token: str
    key_token: str
    standard: float
    hsa: float
    contribution: float
    reading: Literal["near", "opened", "closed"]


class PairsSoFar:
    """The `most` pairs of largest weight in standard attention among the blocks seen."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.found: list[tuple[float, int, int, float, float, str]] = []

    def add(
        self,
        cut: CutRows,
        exact: Float[Tensor, "Q T"],
        hsa: Float[Tensor, "Q T"],
        keys: Bool[Tensor, " T"],
    ) -> None:
        """Consider one block's queries with these keys."""
        of: Int[Tensor, " K"] = keys.nonzero().flatten()
        if not of.numel():
            return
        score = exact[:, of].masked_fill(~cut.visible[:, of], -torch.inf)
        best, index = score.flatten().topk(min(self.most, score.numel()))
        places = [
            (value, *divmod(flat, of.numel()))
            for value, flat in zip(best.tolist(), index.tolist(), strict=True)
            if value > -torch.inf
        ]
        for value, at, which in places:
            key = int(of[which])
            reading = "closed"
            if bool(cut.read[at, key]):
                reading = "near" if bool(cut.near[at, key]) else "opened"
            norm = value * float(cut.v[key].norm())
            found = (value, int(cut.queries[at]), key, float(hsa[at, key]), norm, reading)
            self.found.append(found)
        self.found.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
        del self.found[self.most :]

    def ranked(self, strings: Sequence[str]) -> tuple[CarriedPair, ...]:
        """The pairs, the largest weight first."""
        return tuple(
            CarriedPair(query, key, strings[query], strings[key], standard, hsa, norm, reading)  # type: ignore[arg-type]
            for standard, query, key, hsa, norm, reading in self.found
        )
