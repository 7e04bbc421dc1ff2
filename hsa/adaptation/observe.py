"""Evidence of one text in one layer: HSA beside exact attention on sampled queries (design §8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.adaptation.evidence import Evidence
from hsa.adaptation.keys import nearest, routing_variance
from hsa.attention.opening import Opening
from hsa.attention.reference import Answer, answer, choose_cut, closed_shares
from hsa.attention.spending import Spending
from hsa.attention.views import BlockView, FramedLayer, block_views, into_layer
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE, SECTION, SplatField


@dataclass(frozen=True)
class Observation:
    """What one text says of one key/value head.

    Attributes:
        x: its keys in the frame, sinks and special tokens left out.
        received: exact attention that each drew, per query.
        error: ‖Ô - O‖_F / ‖O‖_F of each query head.
        opened: share of queries that opened the splat.
    """

    seen: Evidence
    x: Float[Tensor, "K D"]
    received: Float[Tensor, " K"]
    error: Float[Tensor, " R"]
    opened: Float[Tensor, " N"]


def observe(
    activations: Activations,
    fields: Sequence[SplatField],
    layer_field: LayerField,
    spending: Spending,
    queries: Int[Tensor, " Q"],
) -> list[Observation]:
    """Compare HSA with exact attention at some queries; cost grows with this text alone.

    Args:
        fields: one per key/value head, that `layer_field` is the stack of.
    """
    layer = into_layer(activations, layer_field)
    rows = _Rows(layer, queries.numel())
    for view in block_views(layer, queries, crossed=False):
        opening, exact = choose_cut(view, *spending.per_group(view.heads))
        given = answer(view, opening, exact, layer_field.temper, layer_field.tilt, by_tokens=True)
        rows.add(view, opening, given)
    return [_of_group(layer, rows, group, field) for group, field in enumerate(fields)]


OF_EVIDENCE = ("mass", "closed", "error", "mass_error", "value_error", "spread")
"""What `Evidence` takes from sums over queries."""


class _Rows:
    """Sums over sampled queries of what HSA and exact attention give each node."""

    def __init__(self, layer: FramedLayer, queries: int) -> None:
        groups, nodes = layer.tree.row.shape
        heads = layer.y.shape[1]
        self.queries, self.heads = queries, heads

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(groups, *shape)

        self.node = {name: zeros(heads, nodes) for name in (*OF_EVIDENCE, "opened")}
        self.received = zeros(layer.k.shape[1])
        self.wrong, self.norm = zeros(heads), zeros(heads)

    def add(self, view: BlockView, opening: Opening, given: Answer) -> None:
        tree, heads, closed = view.layer.tree, view.heads, opening.closed
        seen = view.near | view.block.far
        weights = view.logits.masked_fill(~seen, -torch.inf)
        log_z = weights.logsumexp(-1)
        weights = (weights - log_z.unsqueeze(-1)).exp()
        wanted = weights @ view.layer.v
        far = weights * view.block.far
        exact_mass = torch.zeros_like(given.log_mass)
        for level in range(3):
            exact_mass.scatter_add_(2, tree.key_node[:, :, level].unsqueeze(1).expand_as(far), far)
        scale = (given.log_z - log_z).exp().unsqueeze(-1)
        mass = (given.log_mass - given.log_z.unsqueeze(-1)).exp()  # m̂ / Ẑ
        true_mass = exact_mass / scale * closed  # m / Ẑ
        true_value = _closed_values(view, far, closed.shape[-1]) / scale.unsqueeze(-1)
        value = _closed_values(view, closed_shares(view, mass, given.tilt), closed.shape[-1])
        mean = true_value / true_mass.clamp_min(1e-12).unsqueeze(-1)
        mean = torch.where((true_mass > 1e-12).unsqueeze(-1), mean, view.moments.value.unsqueeze(1))
        by_mass = (mass - true_mass).unsqueeze(-1) * (mean - wanted.unsqueeze(2))
        by_value = value - mass.unsqueeze(-1) * mean
        away = given.output - wanted
        parts = {
            "mass": exact_mass,
            "closed": closed.float(),
            "opened": opening.opened.float(),
            "error": ((by_mass + by_value) * away.unsqueeze(2)).sum(-1) * closed,
            "mass_error": by_mass.square().sum(-1) * closed,
            "value_error": by_value.square().sum(-1) * closed,
            "spread": exact_mass * view.spread,
        }
        for name, part in parts.items():
            self.node[name] += part.unflatten(1, (heads, -1)).sum(2)
        self.received += weights.sum(1)
        self.wrong += away.square().sum(-1).unflatten(1, (heads, -1)).sum(-1)
        self.norm += wanted.square().sum(-1).unflatten(1, (heads, -1)).sum(-1)


def _closed_values(view: BlockView, far: Tensor, nodes: int) -> Float[Tensor, "G B C V"]:
    """Σ_j A_ij v_j over the far keys of each node: Phrases first, parents from their children."""
    tree, value = view.layer.tree, view.layer.v
    total = value.new_zeros(*far.shape[:2], nodes, value.shape[-1])
    for group, phrase in enumerate(tree.key_node[:, :, PHRASE]):
        weighted = far[group].unsqueeze(-1) * value[group]
        total[group].index_add_(1, phrase, weighted)
        for level in (PHRASE, SECTION):
            child = (tree.level[group] == level).nonzero().squeeze(1)
            total[group].index_add_(1, tree.parent[group, child], total[group][:, child])
    return total


def _of_group(layer: FramedLayer, rows: _Rows, group: int, field: SplatField) -> Observation:
    """Bring one head's sums from the prompt's nodes to the rows of its field."""
    row = layer.tree.row[group]
    present = (row >= 0).nonzero().squeeze(1)
    row = row[present]
    weight = 1 / (rows.queries * rows.heads)

    def of_splats(name: str) -> Tensor:
        of_head = rows.node[name][group][:, present]
        if "error" in name:  # In units of the head's own mean ‖o‖².
            of_head = of_head / (rows.norm[group] / rows.queries).clamp_min(1e-30).unsqueeze(1)
        # Texts whose logits overflow say nothing, rather than nonsense for ever after.
        told = (weight * of_head.sum(0)).nan_to_num(0.0, 0.0, 0.0)
        return torch.zeros(field.splats).index_copy(0, row, told)

    counted = ~layer.activations.near_special
    counted[: layer.near.sinks] = False
    x = layer.x[group, counted]
    keys, distance = torch.zeros(field.splats), torch.zeros(field.splats)
    variance = routing_variance(field)
    for own in nearest(field, x).unbind(1):
        keys.index_add_(0, own, torch.ones(x.shape[0]))
        away = (x - field.position[own]).square() / variance[own]
        distance.index_add_(0, own, away.mean(1))
    seen = Evidence(
        keys=keys,
        **{name: of_splats(name) for name in OF_EVIDENCE},
        distance=distance / keys.clamp_min(1),
        unused=torch.zeros(field.splats),
        age=torch.zeros(field.splats),
    )
    error = (rows.wrong[group] / rows.norm[group].clamp_min(1e-30)).sqrt()
    received = weight * rows.received[group, counted]
    return Observation(seen, x, received, error, of_splats("opened"))
