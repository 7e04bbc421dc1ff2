"""The held buffer: texts that edits are judged on, and the error that a field leaves there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.near import NearKeys
from hsa.attention.reference import answer, choose_cut
from hsa.attention.spending import Spending
from hsa.attention.views import FramedLayer, block_views, into_layer
from hsa.field.layer_field import LayerField
from hsa.field.routing import route
from hsa.field.tree import prompt_tree


@dataclass(frozen=True)
class Probe:
    """One text in one layer, with queries and what exact attention gives them.

    Keys and queries stand in the frame, which no edit changes: only routing is done anew.
    """

    layer: FramedLayer
    queries: Int[Tensor, " Q"]
    wanted: Float[Tensor, "H Q V"]
    spending: Spending

    def asked_anew(self, most: int, generator: torch.Generator) -> Probe:
        """The same text, asked by one block of queries drawn from its second half."""
        tokens = self.layer.activations.tokens
        half = tokens // 2
        end = tokens - int(torch.randint(tokens - half, (1,), generator=generator))
        return self.asked(one_block(self.layer.activations, most, end))

    def asked(self, queries: Int[Tensor, " Q"]) -> Probe:
        """The same text with other queries."""
        return _asked(self.layer, self.spending, queries)


@dataclass(frozen=True)
class Judged:
    """What a field leaves on X texts, by query head: relative error, and reads."""

    error: Float[Tensor, "X H"]
    reads: Float[Tensor, "X H"]


def probe(
    activations: Activations, field: LayerField, spending: Spending, queries: Int[Tensor, " Q"]
) -> Probe:
    """Exact attention of a text's queries, kept for judging."""
    return _asked(into_layer(activations, field), spending, queries)


def _asked(layer: FramedLayer, spending: Spending, queries: Int[Tensor, " Q"]) -> Probe:
    wanted = exact.output(layer.activations, exact.weights(layer.activations, queries))
    return Probe(layer, queries, wanted, spending)


def judge(
    probes: Sequence[Probe], field: LayerField, groups: Sequence[int] | None = None
) -> Judged:
    """Error and reads of query heads on each probe.

    Args:
        field: of the whole layer; or of some of its key/value heads, `groups`, in that order.
    """
    errors, reads = [], []
    for one in probes:
        layer = _until(one.layer, one.queries)
        wanted = one.wanted.unflatten(0, (layer.k.shape[0], -1))
        per_group = one.spending.per_group(wanted.shape[1])
        if groups is not None:
            at = torch.tensor(groups)
            layer = _of_groups(layer, at)
            wanted = wanted[at]
            per_group = (per_group[0][at], None if per_group[1] is None else per_group[1][at])
        layer = replace(layer, field=field, tree=prompt_tree(field, route(layer.x, field)))
        output = torch.zeros_like(wanted)
        spent = torch.zeros(wanted.shape[:2])
        for view in block_views(layer, one.queries, crossed=False):
            here = torch.isin(one.queries, view.block.queries)
            opening, all_read = choose_cut(view, *per_group)
            given = answer(view, opening, all_read, field.temper, field.tilt, by_tokens=True)
            output[:, :, here] = given.output.unflatten(1, (view.heads, -1))
            spent += opening.reads.unflatten(1, (view.heads, -1)).sum(2)
        away = (output - wanted).norm(dim=(2, 3)).flatten()
        errors.append(away / wanted.norm(dim=(2, 3)).flatten().clamp_min(1e-30))
        reads.append(spent.flatten() / one.queries.numel())
    return Judged(torch.stack(errors), torch.stack(reads))


def _until(layer: FramedLayer, queries: Int[Tensor, " Q"]) -> FramedLayer:
    """Without the keys that no query sees."""
    given, end = layer.activations, int(queries.max()) + 1
    if not given.causal or end == given.tokens:
        return layer
    seen = replace(
        given, q=given.q[:, :end], k=given.k[:, :end], v=given.v[:, :end],
        near_special=given.near_special[:end],
    )  # fmt: skip
    return replace(
        layer, activations=seen, q=layer.q[:, :, :end], k=layer.k[:, :end], v=layer.v[:, :end],
        x=layer.x[:, :end], y=layer.y[:, :, :end],
    )  # fmt: skip


def _of_groups(layer: FramedLayer, at: Int[Tensor, " G"]) -> FramedLayer:
    """Some of a layer's key/value heads, all but its activations and its tree."""
    q, k, v, x, y = (tensor[at] for tensor in (layer.q, layer.k, layer.v, layer.x, layer.y))
    return replace(layer, q=q, k=k, v=v, x=x, y=y)


def beginning(activations: Activations, tokens: int) -> Activations:
    """The first tokens of a text that reads one way; all of one that reads both ways, whose
    queries would miss what comes after.
    """
    if not activations.causal or activations.tokens <= tokens:
        return activations
    return activations.part(slice(tokens))


def one_block(activations: Activations, most: int, end: int) -> Int[Tensor, " Q"]:
    """At most so many queries that share one snapshot of moments, the last ones before `end`."""
    near = NearKeys.for_length(activations.tokens, activations.causal)
    positions = (~activations.near_special).nonzero().squeeze(1)
    positions = positions[positions < end]
    blocks = list(near.blocks(positions, activations.near_special, activations.causal))
    # The last block may hold a few queries only.
    enough = [block for block in blocks if block.queries.numel() >= min(most, near.step)]
    chosen = (enough or blocks)[-1].queries
    return chosen[torch.linspace(0, chosen.numel() - 1, min(most, chosen.numel())).round().long()]
