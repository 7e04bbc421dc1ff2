"""What a splat knows about the prompt: additive sums over its far keys (design §4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.field.splat_field import PHRASE, SECTION
from hsa.field.tree import PromptTree


@dataclass(frozen=True)
class Sums:
    """Sums over the keys of each node, centred on its persistent position: d = x - μ.

    They add: the sums of two sets of keys, or of a node's children after recentring.
    """

    count: Float[Tensor, "G C"]
    first: Float[Tensor, "G C D"]
    second: Float[Tensor, "G C D"]
    value: Float[Tensor, "G C V"]
    value_square: Float[Tensor, "G C"]
    cross: Float[Tensor, "G C V D"]

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            *(a + b for a, b in zip(self.__dict__.values(), other.__dict__.values(), strict=True))
        )


@dataclass(frozen=True)
class Moments:
    """Count n, mean key x̄, diagonal variance s², mean value v̄, tr Var(v), C = Cov(v, x)."""

    count: Float[Tensor, "G C"]
    mean: Float[Tensor, "G C D"]
    variance: Float[Tensor, "G C D"]
    value: Float[Tensor, "G C V"]
    value_variance: Float[Tensor, "G C"]
    covariance: Float[Tensor, "G C V D"]


def no_sums(tree: PromptTree, value_dim: int) -> Sums:
    """Sums of no keys at all."""
    groups, nodes, dim = tree.centre.shape

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(groups, nodes, *shape, device=tree.centre.device)

    return Sums(
        zeros(), zeros(dim), zeros(dim), zeros(value_dim), zeros(), zeros(value_dim, dim)
    )  # fmt: skip


def phrase_sums(
    tree: PromptTree,
    x: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    keys: Bool[Tensor, " T"],
    chunk: int = 256,
) -> Sums:
    """Sums of the chosen keys at their Phrase nodes (other nodes zero)."""
    groups, nodes, dim = tree.centre.shape
    value_dim = v.shape[-1]
    sums = no_sums(tree, value_dim)
    offset = nodes * torch.arange(groups, device=x.device).unsqueeze(1)
    for part in keys.nonzero().squeeze(1).split(chunk):
        phrase = tree.key_node[:, part, PHRASE]
        node = (phrase + offset).flatten()
        index = phrase.unsqueeze(-1).expand(-1, -1, dim)
        d = (x[:, part].float() - tree.centre.gather(1, index)).flatten(0, 1)
        value = v[:, part].float().flatten(0, 1)
        sums.count.view(-1).index_add_(0, node, torch.ones_like(d[:, 0]))
        sums.first.view(-1, dim).index_add_(0, node, d)
        sums.second.view(-1, dim).index_add_(0, node, d * d)
        sums.value.view(-1, value_dim).index_add_(0, node, value)
        sums.value_square.view(-1).index_add_(0, node, (value * value).sum(-1))
        sums.cross.view(-1, value_dim, dim).index_add_(
            0, node, value.unsqueeze(-1) * d.unsqueeze(-2)
        )
    return sums


def with_ancestors(tree: PromptTree, phrases: Sums) -> Sums:
    """Sections and Documents from their children: recentre by δ = μ_child - μ_parent, add."""
    sums = Sums(*(tensor.clone() for tensor in phrases.__dict__.values()))
    nodes = torch.arange(tree.nodes, device=tree.parent.device)
    for level in (PHRASE, SECTION):
        # Nodes stand level by level, so parents are among the first `above` and children after.
        upper = ((tree.level < level) & (tree.row >= 0)).sum(1)
        above = int(upper.max())
        upto = ((tree.level <= level) & (tree.row >= 0)).sum(1)
        children = slice(int(upper.min()), int(upto.max()))
        up = tree.parent[:, children].clamp_min(0)
        child = tree.level[:, children] == level
        adds = (child.unsqueeze(1) & (up.unsqueeze(1) == nodes[:above].view(1, -1, 1))).float()
        centre = tree.centre[:, children]
        delta = centre - tree.centre.gather(1, up.unsqueeze(-1).expand_as(centre))
        n, first = sums.count[:, children].unsqueeze(-1), sums.first[:, children]
        value = sums.value[:, children]
        cross = sums.cross[:, children] + value.unsqueeze(-1) * delta.unsqueeze(-2)
        second = sums.second[:, children] + 2 * delta * first + n * delta * delta
        parents = slice(0, above)
        sums.count[:, parents] += (adds @ n).squeeze(-1)
        sums.first[:, parents] += adds @ (first + n * delta)
        sums.second[:, parents] += adds @ second
        sums.value[:, parents] += adds @ value
        square = sums.value_square[:, children].unsqueeze(-1)
        sums.value_square[:, parents] += (adds @ square).squeeze(-1)
        sums.cross[:, parents] += (adds @ cross.flatten(2)).unflatten(2, cross.shape[2:])
    return sums


def moments(tree: PromptTree, sums: Sums) -> Moments:
    """Means, variances and Cov(v, x) from the sums; an empty node has zeros everywhere."""
    n = sums.count.clamp_min(1).unsqueeze(-1)
    offset = sums.first / n
    value = sums.value / n
    several = (sums.count > 1).unsqueeze(-1)
    variance = (sums.second / n - offset * offset).clamp_min(0).where(several, 0.0)
    value_variance = (sums.value_square / n.squeeze(-1) - (value * value).sum(-1)).clamp_min(0)
    covariance = sums.cross / n.unsqueeze(-1) - value.unsqueeze(-1) * offset.unsqueeze(-2)
    return Moments(
        count=sums.count,
        mean=tree.centre + offset,
        variance=variance,
        value=value,
        value_variance=value_variance.where(several.squeeze(-1), 0.0),
        covariance=covariance.where(several.unsqueeze(-1), 0.0),
    )
