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


@dataclass(frozen=True)
class Judged:
    """What a field leaves on the buffer, by query head: relative error, and reads.

    Errors are geometric means over texts: an edit is asked to take the same share off everywhere,
    so that no single query of one text decides. On court cases 38 and 27 % of the gap to fields
    fitted on the texts themselves were closed so at layers 22 and 18, with arithmetic means 28
    and 16 %.
    """

    error: Float[Tensor, " H"]
    reads: Float[Tensor, " H"]


def probe(
    activations: Activations, field: LayerField, spending: Spending, queries: Int[Tensor, " Q"]
) -> Probe:
    """Exact attention of a text's queries, kept for judging."""
    wanted = exact.output(activations, exact.weights(activations, queries))
    layer = into_layer(activations, field)
    return Probe(layer, queries, wanted, spending)


def judge(probes: Sequence[Probe], field: LayerField) -> Judged:
    """Error and reads of every query head over all probes."""
    errors, reads = [], []
    for one in probes:
        layer = replace(one.layer, field=field, tree=prompt_tree(field, route(one.layer.x, field)))
        output = torch.zeros_like(one.wanted)
        spent = 0.0
        for view in block_views(layer, one.queries):
            here = torch.isin(one.queries, view.block.queries)
            opening, all_read = choose_cut(view, *one.spending.per_group(view.heads))
            given = answer(view, opening, all_read, field.temper, field.tilt)
            output[:, here] = given.output.unflatten(1, (view.heads, -1)).flatten(0, 1)
            spent = spent + opening.reads.unflatten(1, (view.heads, -1)).flatten(0, 1).sum(1)
        away = (output - one.wanted).norm(dim=(1, 2))
        errors.append(away / one.wanted.norm(dim=(1, 2)).clamp_min(1e-30))
        reads.append(spent / one.queries.numel())
    return Judged(geometric(torch.stack(errors), 0), torch.stack(reads).mean(0))


def geometric(errors: Tensor, dim: int) -> Tensor:
    """Geometric mean along a dimension; errors below a millionth count as that."""
    return errors.clamp_min(1e-6).log().mean(dim).exp()


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
