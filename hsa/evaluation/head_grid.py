"""Both attentions of every head of every layer, in numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.baselines import opened_read, softmax_over
from hsa.attention.fits import check_rows
from hsa.attention.near import NearKeys
from hsa.attention.opening import Opening
from hsa.attention.reference import Answer, answer, choose_cut
from hsa.attention.spending import Spending
from hsa.attention.views import BlockView, block_views, into_layer
from hsa.evaluation.patterns import after_same_token, row_patterns
from hsa.field.layer_field import LayerField
from hsa.field.model_field import ModelField

ALL_QUERIES_UP_TO = 512
STRETCHES, STRETCH = 8, 8
"""In longer texts: so many stretches, spread over the text, of so many neighbouring queries."""

ANSWERED_BY = ("near tokens", "opened tokens", "closed Phrases", "closed Sections",
               "closed Documents")  # fmt: skip
"""What answers for a query's attention mass, from the finest to the coarsest."""


@dataclass(frozen=True)
class LayerScores:
    """One layer's heads over the queries chosen: means over queries, errors over all of them.

    Attributes:
        error: ‖Ô - O‖_F / ‖O‖_F of HSA's outputs against standard attention's.
        opened_only_error: the same with every closed splat dropped: softmax over the near and
            opened tokens that HSA read.
        reads: splats and far tokens evaluated per query; the near keys are not among them.
        exact_rows: share of queries whose far keys were all read, no splat evaluated.
        raised_rows: share of queries whose reads were raised to the number of Documents.
        mass: share of HSA's attention mass by what answers for it, as in ANSWERED_BY.
        entropy, sink, previous, induction: of standard attention, see `patterns`; means over
            the queries for which they mean something, NaN if there is none.
        near_keys, visible_keys: read as near, and seen by standard attention, per query.
    """

    layer: int
    near_keys: float
    visible_keys: float
    error: Float[Tensor, " H"]
    opened_only_error: Float[Tensor, " H"]
    reads: Float[Tensor, " H"]
    exact_rows: Float[Tensor, " H"]
    raised_rows: Float[Tensor, " H"]
    mass: Float[Tensor, "H 5"]
    entropy: Float[Tensor, " H"]
    sink: Float[Tensor, " H"]
    previous: Float[Tensor, " H"]
    induction: Float[Tensor, " H"]


@dataclass(frozen=True)
class HeadGrid:
    """`LayerScores` of all layers: rows are layers, columns query heads.

    Attributes:
        tokens: T of the text.
        queries: positions that were computed; all of them up to ALL_QUERIES_UP_TO tokens.
        near_keys: keys read as near per query, on average; the same in every head.
        visible_keys: keys that a query may see, on average.
    """

    tokens: int
    queries: Int[Tensor, " Q"]
    near_keys: float
    visible_keys: float
    error: Float[Tensor, "L H"]
    opened_only_error: Float[Tensor, "L H"]
    reads: Float[Tensor, "L H"]
    exact_rows: Float[Tensor, "L H"]
    raised_rows: Float[Tensor, "L H"]
    mass: Float[Tensor, "L H 5"]
    entropy: Float[Tensor, "L H"]
    sink: Float[Tensor, "L H"]
    previous: Float[Tensor, "L H"]
    induction: Float[Tensor, "L H"]

    @property
    def agreement(self) -> Float[Tensor, "L H"]:
        """1 - error, not below 0."""
        return (1 - self.error).clamp_min(0)

    @property
    def everything_read(self) -> float:
        """Splats, far and near tokens per query, mean over all heads."""
        return float(self.reads.mean()) + self.near_keys

    @property
    def layers(self) -> int:
        return self.error.shape[0]

    @property
    def heads(self) -> int:
        return self.error.shape[1]

    @property
    def all_queries(self) -> bool:
        """Whether no query of the text was left out."""
        return self.queries.numel() == self.tokens


def grid_queries(tokens: int, causal: bool) -> Int[Tensor, " Q"]:
    """Every query, or from 513 tokens on 64 in 8 stretches spread over the text.

    A stretch ends at a multiple of T/8, or a little before, so that its queries share one
    snapshot of the moments.
    """
    if tokens <= ALL_QUERIES_UP_TO:
        return torch.arange(tokens)
    near = NearKeys.for_length(tokens, causal)
    plain = torch.zeros(tokens, dtype=torch.bool)
    chosen = []
    for number in range(1, STRETCHES + 1):
        stretch = torch.arange(STRETCH) + (tokens * number // STRETCHES - STRETCH)
        while len(list(near.blocks(stretch, plain, causal))) > 1:
            stretch = stretch - 1
        chosen.append(stretch)
    return torch.cat(chosen)


def layer_scores(
    activations: Activations,
    field: LayerField,
    spending: Spending,
    ids: Sequence[int],
    queries: Int[Tensor, " Q"] | None = None,
) -> LayerScores:
    """One layer's heads, from one walk over its blocks of queries.

    Args:
        ids: the text's token ids, by which repetitions are known.
    """
    tokens = activations.tokens
    queries = grid_queries(tokens, activations.causal) if queries is None else queries
    layer = into_layer(activations, field)
    check_rows(layer, queries.numel())
    heads = layer.y.shape[1]
    reads, stop_error = spending.per_group(heads)
    parts = [
        _block(view, *choose_cut(view, reads, stop_error), ids)
        for view in block_views(layer, queries)
    ]

    def total(name: str) -> Tensor:
        return torch.stack([part[name] for part in parts]).sum(0)

    norm = total("wanted").sqrt().clamp_min(1e-30)

    def mean(name: str) -> Tensor:
        return torch.cat([part[name] for part in parts], dim=1).nanmean(dim=1)

    return LayerScores(
        layer=activations.layer,
        near_keys=float(torch.cat([part["near_keys"] for part in parts]).mean()),
        visible_keys=float(torch.cat([part["visible_keys"] for part in parts]).mean()),
        error=total("difference").sqrt() / norm,
        opened_only_error=total("dropped").sqrt() / norm,
        reads=mean("reads"),
        exact_rows=mean("exact_rows"),
        raised_rows=mean("raised_rows"),
        mass=mean("mass"),
        entropy=mean("entropy"),
        sink=mean("sink"),
        previous=mean("previous"),
        induction=mean("induction"),
    )


def gather(rows: Sequence[LayerScores], queries: Int[Tensor, " Q"], tokens: int) -> HeadGrid:
    """The grid of all layers, in the order given."""
    stacked = {
        part.name: torch.stack([getattr(row, part.name) for row in rows])
        for part in fields(HeadGrid)
        if part.name not in ("tokens", "queries", "near_keys", "visible_keys")
    }
    return HeadGrid(tokens, queries, rows[0].near_keys, rows[0].visible_keys, **stacked)


def head_grid(
    layers: Iterable[Activations],
    field: ModelField,
    spending: Sequence[Spending],
    ids: Sequence[int],
    queries: Int[Tensor, " Q"] | None = None,
    progress: Callable[[str, float | None], None] | None = None,
) -> HeadGrid:
    """Every head of the layers given, one layer in memory at a time if they come one by one."""
    rows = []
    for activations in layers:
        if queries is None:
            queries = grid_queries(activations.tokens, activations.causal)
        number = activations.layer
        if progress is not None:
            progress(f"Both attentions: layer {number + 1} of {field.layers}",
                     number / field.layers)  # fmt: skip
        rows.append(layer_scores(activations, field.layer(number), spending[number], ids, queries))
    assert queries is not None, "a grid has at least one layer"
    return gather(rows, queries, len(ids))


def _block(
    view: BlockView, opening: Opening, exact: Tensor, ids: Sequence[int]
) -> dict[str, Tensor]:
    """Sums of squares [H] and rows [H, Q] of one block of queries."""
    field = view.layer.field
    given = answer(view, opening, exact, field.temper, field.tilt)
    visible = view.near | view.block.far
    weights = softmax_over(view, visible.expand_as(view.logits))
    wanted = weights @ view.layer.v
    opened = softmax_over(view, opened_read(view, opening, exact)) @ view.layer.v

    def by_head(tensor: Tensor) -> Tensor:
        return tensor.unflatten(1, (view.heads, -1)).flatten(0, 1)

    def squares(tensor: Tensor) -> Tensor:
        return by_head(tensor.square().sum(-1)).sum(-1)

    queries = view.block.queries
    one_head = slice(0, queries.numel())
    patterns = row_patterns(by_head(weights), queries, after_same_token(ids, queries))
    return {
        "difference": squares(given.output - wanted),
        "dropped": squares(opened - wanted),
        "wanted": squares(wanted),
        "near_keys": view.near[one_head].sum(-1).float(),
        "visible_keys": visible[one_head].sum(-1).float(),
        "reads": by_head(opening.reads.float()),
        "exact_rows": by_head(exact.float()),
        "raised_rows": by_head(opening.raised.float()),
        "mass": by_head(answered_mass(view, given)),
    } | {part.name: getattr(patterns, part.name) for part in fields(patterns)}


def answered_mass(view: BlockView, given: Answer) -> Float[Tensor, "G B 5"]:
    """Each row's mass by what answers for it; sums to one."""
    read = (view.logits - given.log_z.unsqueeze(-1)).exp() * given.read
    near = (read * view.near).sum(-1)
    closed = (given.log_mass - given.log_z.unsqueeze(-1)).exp()
    level = view.layer.tree.level.unsqueeze(1)
    by_level = [(closed * (level == at)).sum(-1) for at in (2, 1, 0)]
    return torch.stack([near, read.sum(-1) - near, *by_level], dim=-1)
