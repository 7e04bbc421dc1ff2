"""What a cut did with one splat, query by query (the states of `hsa.explanation.pair`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from hsa.attention.effective import CutRows

SplatState = Literal[
    "closed", "opened", "below a closed splat", "replaced", "not needed", "near only", "no key yet"
]

MEANS: dict[SplatState, str] = {
    "closed": "it answered for all of its far keys at once",
    "opened": "its mass was evaluated, then its children's or its tokens' in its place",
    "below a closed splat": "a splat above it answered for its keys",
    "replaced": "its only child with far keys stood for it at no cost",
    "not needed": "the query read all of its far keys and evaluated no splat",
    "near only": "all of its keys that the query sees are near, and read as tokens anyway",
    "no key yet": "the query sees no key of it",
}


@dataclass(frozen=True)
class StateShare:
    """Share of the queries with which the splat was in this state."""

    state: SplatState
    queries: int
    share: float


def no_states() -> Counter[SplatState]:
    """Of no queries."""
    return Counter()


def add_states(counts: Counter[SplatState], cut: CutRows, node: int | None) -> None:
    """Count a block's queries; `node` is None for a splat without a key in this prompt."""
    rows = cut.queries.numel()
    if node is None:
        counts["no key yet"] += rows
        return
    left = torch.ones(rows, dtype=torch.bool)
    keys = cut.key_node[:, int(cut.level[node])] == node

    def take(state: SplatState, here: Tensor) -> None:
        nonlocal left
        counts[state] += int((here & left).sum())
        left = left & ~here

    take("no key yet", ~cut.visible[:, keys].any(1))
    take("near only", torch.full((rows,), float(cut.count[node]) == 0))
    take("not needed", cut.whole)
    take("closed", cut.closed[:, node])
    for above in _ancestors(cut.parent, node):
        take("below a closed splat", cut.closed[:, above])
    take("opened", cut.opened[:, node])
    take("replaced", left)


def state_shares(counts: Counter[SplatState]) -> tuple[StateShare, ...]:
    """The states that occurred, in the order of `MEANS`."""
    queries = max(sum(counts.values()), 1)
    return tuple(
        StateShare(state, counts[state], counts[state] / queries)
        for state in MEANS
        if counts[state]
    )


def _ancestors(parent: Int[Tensor, " C"], node: int) -> list[int]:
    found = []
    while int(parent[node]) >= 0:
        node = int(parent[node])
        found.append(node)
    return found
