"""How reads are spent: the same in every head, per head, or per query (design §6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.attention.allocation import spread_reads
from hsa.errors import InputError
from hsa.field.curves import ErrorCurves, OwnCurves
from hsa.field.model_field import ModelField

Curves = TypeVar("Curves", ErrorCurves, OwnCurves)

WAYS = ("uniform", "per_head", "per_query")
GUARD = 3.0
"""With reads per query, none reads more than so many times its head's share or the mean asked for.

A cap by a small share alone stopped queries that knew of a large error: layer 18, head 7 of SmolLM2
erred by 258 % on 28 tokens.
"""

MOST = 0.5
"""A head inside the model that is given this share of all keys reads all of them."""

PLANNED = 0.78
"""With reads per query, the share of the reads asked for that is planned on calibration text.

What stops a query is its own error, so another text needs other reads: SmolLM2 read 282 on a
software licence, a kind that calibration never saw, where 234 were planned (`hsa fidelity`).
"""


@dataclass(frozen=True)
class Spending:
    """Reads of each of a layer's H query heads; the cap, when queries stop by error.

    `stop_error` is the absolute output error at which a query of that head stops opening.
    """

    reads: Int[Tensor, " H"]
    stop_error: Float[Tensor, " H"] | None = None

    def per_group(
        self, heads_per_group: int
    ) -> tuple[Int[Tensor, "G R"], Float[Tensor, "G R"] | None]:
        stop = None if self.stop_error is None else self.stop_error.view(-1, heads_per_group)
        return self.reads.view(-1, heads_per_group), stop

    def heads(self, chosen: slice) -> Spending:
        """The spending of some of the heads."""
        stop = None if self.stop_error is None else self.stop_error[chosen]
        return Spending(self.reads[chosen], stop)


def sensible_reads(tokens: int) -> int:
    """Mean reads per query that suit a text of T tokens: 300 at 4,096, 5 at 12.

    A power of T between the two: short prompts keep their hierarchy at work, long ones read
    a falling share.
    """
    return max(4, round(300 * (tokens / 4096) ** 0.7))


def sensible_everything(tokens: int) -> int:
    """Everything read, near keys too, that suits a text of T tokens inside the model.

    A tenth of 4,096 tokens, 29 of 50. With a power of 0.7 the prompts of `assets` of 46 to 447
    tokens paid 2 to 13 times the next-token KL; with 0.5 two of four paid less, and more heads
    left their bound.
    """
    return min(tokens, max(8, round(410 * (tokens / 4096) ** 0.6)))


def spend(
    field: ModelField, mean_reads: float, tokens: int, way: str | None = None
) -> tuple[Spending, ...]:
    """Reads of every head of every layer, `mean_reads` per query on average.

    The error curves measured nearest to this text length decide which heads get more; at other
    lengths reads scale with the text.

    Args:
        way: one of WAYS; the field's own choice when None.
    """
    way = way or field.spending
    if way not in WAYS:
        raise InputError(
            "Reads cannot be spent so", got=repr(way), needed=", ".join(WAYS), attempt="per_head"
        )
    if not mean_reads >= 1:
        raise InputError(
            "HSA needs reads", got=f"{mean_reads} reads", needed="at least 1", attempt="4"
        )
    shape = field.temper.shape[:2]
    if way == "uniform" or not field.curves or mean_reads >= tokens:
        return tuple(Spending(row) for row in torch.full(shape, round(mean_reads)))
    curves = _nearest(field.curves, tokens)
    stretch = tokens / curves.tokens
    if way == "per_head":
        grid = curves.reads.expand(curves.error.shape)
        reads = _allocate(grid, curves.error, mean_reads / stretch)
        return tuple(Spending(row) for row in _whole(reads * stretch))
    reads = _allocate(curves.stop_reads, curves.stop_error, PLANNED * mean_reads / stretch)
    stop = _at(curves.stop_reads, curves.stop.log().expand(curves.stop_reads.shape), reads).exp()
    # Past the end of a curve the error allowed falls on as the square of the reads wished for.
    beyond = (curves.stop_reads.amax(-1) / reads).clamp_max(1).square()
    stop = stop * beyond
    most = _whole(GUARD * (reads * stretch).clamp_min(mean_reads))
    return tuple(Spending(r, s) for r, s in zip(most, stop * curves.scale, strict=True))


def spend_alone(field: ModelField, mean_reads: float, tokens: int) -> Int[Tensor, "L H"]:
    """Far reads of every head whose queries open for themselves, `mean_reads` on average.

    No query reads more than its head's, so the mean stays within what is asked on every text.
    Heads that are given most of the keys read all of them, and the others pay: what such a head
    looks up can lie in any splat, however much of the text it reads.
    """
    if not field.own_curves or mean_reads >= tokens:
        return torch.stack([s.reads for s in spend(field, mean_reads, tokens, "per_head")])
    curves = _nearest(field.own_curves, tokens)
    stretch = tokens / curves.tokens
    grid = torch.nn.functional.pad(curves.reads, (0, 1), value=curves.tokens)
    error = torch.nn.functional.pad(curves.error, (0, 1))
    reads = _allocate(grid.expand(error.shape), error, mean_reads / stretch) * stretch
    all_keys = reads >= MOST * tokens
    left = mean_reads * reads.numel() - tokens * int(all_keys.sum())
    reads = reads * (left / reads[~all_keys].sum()).clamp_max(1)
    return _whole(reads).masked_fill(all_keys, tokens)


def oracle_spend(field: ModelField, mean_reads: float, tokens: int) -> Int[Tensor, "L H"]:
    """The oracle's own reads per head, by the same greedy rule on the same calibration text."""
    curves = _nearest(field.curves, tokens)
    stretch = tokens / curves.tokens
    grid = curves.reads.expand(curves.oracle.shape)
    return _whole(_allocate(grid, curves.oracle, mean_reads / stretch) * stretch)


def _nearest(curves: Sequence[Curves], tokens: int) -> Curves:
    return min(curves, key=lambda c: abs(math.log(c.tokens / tokens)))


def _allocate(
    reads: Float[Tensor, "L H K"], error: Float[Tensor, "L H K"], mean: float
) -> Float[Tensor, "L H"]:
    flat = spread_reads(reads.flatten(0, 1).float(), error.flatten(0, 1), mean)
    return flat.view(reads.shape[:2])


def _whole(reads: Float[Tensor, "L H"]) -> Int[Tensor, "L H"]:
    """Round down, so that the mean stays within what was asked."""
    return reads.floor().long().clamp_min(1)


def _at(
    x: Float[Tensor, "L H E"], y: Float[Tensor, "L H E"], at: Float[Tensor, "L H"]
) -> Float[Tensor, "L H"]:
    """Linear interpolation of each head's rising curve, held at its ends."""
    upper = (x < at.unsqueeze(-1)).sum(-1, keepdim=True).clamp(1, x.shape[-1] - 1)
    x0, x1 = x.gather(-1, upper - 1), x.gather(-1, upper)
    y0, y1 = y.gather(-1, upper - 1), y.gather(-1, upper)
    share = ((at.unsqueeze(-1) - x0) / (x1 - x0).clamp_min(1e-9)).clamp(0, 1)
    return (y0 + share * (y1 - y0)).squeeze(-1)
