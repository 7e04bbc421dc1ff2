"""How far blocked HSA is from exact attention, beside the same reads without splats."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.block_plan import SINKS, BlockPlan
from hsa.attention.blocked import BlockedResult

QUERIES = 256
QUERIES_AT_ONCE = 64
"""Exact logits of so many queries are held at once, to bound memory."""


@dataclass(frozen=True)
class HeadErrors:
    """Mean over queries of ‖ô - o‖ / ‖o‖ for each head.

    `opened_only` reads what HSA reads, its closed splats dropped; `window` the near keys alone.
    """

    hsa: Float[Tensor, " H"]
    opened_only: Float[Tensor, " H"]
    window: Float[Tensor, " H"]


@dataclass(frozen=True)
class LastReads:
    """What the last query of a text reads, mean over key/value heads.

    `choosing` is its share of the work of choosing: non-empty splats that the scoring queries
    of its head look at, spread over the queries of a block.
    """

    near: float
    splats: float
    tokens: float
    choosing: float

    @property
    def total(self) -> float:
        return self.near + self.splats + self.tokens + self.choosing


def sampled_queries(tokens: int, count: int = QUERIES) -> Int[Tensor, " Q"]:
    """Evenly spaced positions of the second half of a text, its last one among them."""
    count = min(count, tokens - tokens // 2)
    return torch.linspace(tokens // 2, tokens - 1, count).round().long()


def head_errors(
    activations: Activations, result: BlockedResult, plan: BlockPlan, queries: Int[Tensor, " Q"]
) -> HeadErrors:
    """Measure a result whose openings were kept, by plain masked softmax over all keys."""
    given = result.output.flatten(0, 1)
    parts = []
    for some in queries.split(QUERIES_AT_ONCE):
        logits = exact.logits(activations, some)
        wanted = exact.output(activations, logits.softmax(-1))
        near = near_keys(some, activations.tokens, plan)
        read = near | opened_keys(result, some, activations, plan)

        def masked(kept: Tensor, logits: Tensor = logits) -> Tensor:
            return exact.output(activations, logits.masked_fill(~kept, -torch.inf).softmax(-1))

        outputs = (given[:, some], masked(read), masked(near))
        size = wanted.norm(dim=-1).clamp_min(1e-30)
        parts.append(torch.stack([(o - wanted).norm(dim=-1) / size for o in outputs]))
    return HeadErrors(*torch.cat(parts, dim=-1).mean(-1))


def near_keys(queries: Int[Tensor, " Q"], tokens: int, plan: BlockPlan) -> Bool[Tensor, "Q T"]:
    """Sinks, and all keys up to the query from the block before its own on."""
    keys = torch.arange(tokens)
    start = (queries // plan.block - 1) * plan.block
    near = (keys < SINKS) | (keys >= start.unsqueeze(1))
    return near & (keys <= queries.unsqueeze(1))


def opened_keys(
    result: BlockedResult, queries: Int[Tensor, " Q"], activations: Activations, plan: BlockPlan
) -> Bool[Tensor, "H Q T"]:
    """Far keys that each query's block opened, for every query head of the group."""
    groups = activations.k.shape[0]
    opened = torch.zeros(groups, len(queries), activations.tokens, dtype=torch.bool)
    for row, query in enumerate(queries.tolist()):
        chunk, at = divmod(query // plan.block, plan.chunk)
        opening = result.openings[chunk]
        for group in range(groups):
            there = opening.token_there[at, group]
            opened[group, row, opening.token[at, group][there]] = True
    return opened.repeat_interleave(activations.group, dim=0)


def last_reads(result: BlockedResult, plan: BlockPlan, tokens: int) -> LastReads:
    """Reads of the last query of a text whose openings were kept."""
    last = torch.tensor([tokens - 1])
    chunk, at = divmod(int(last) // plan.block, plan.chunk)
    opening = result.openings[chunk]
    return LastReads(
        near=float(near_keys(last, tokens, plan).sum()),
        splats=float(opening.splat_there[at].sum(-1).float().mean()),
        tokens=float(opening.token_there[at].sum(-1).float().mean()),
        choosing=float(result.choosing[-1].mean()),
    )
