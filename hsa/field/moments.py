"""What a splat knows about the prompt: additive sums over its far keys (design §4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.field.splat_field import DOCUMENT, PHRASE, SECTION
from hsa.field.tree import PromptTree


@dataclass(frozen=True)
class Sums:
    """Sums over the keys of each node, centred on its persistent position: d = x - μ.

    They add: the sums of two sets of keys, or of a node's children after recentring. `cross` has
    no elements where nobody asked for it.
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
    """Count n, mean key x̄, diagonal variance s², mean value v̄, tr Var(v), and C = Cov(v, x).

    C is kept as the sums that it follows from: D × V numbers a splat are costly to move.
    """

    count: Float[Tensor, "G C"]
    mean: Float[Tensor, "G C D"]
    variance: Float[Tensor, "G C D"]
    value: Float[Tensor, "G C V"]
    value_variance: Float[Tensor, "G C"]
    offset: Float[Tensor, "G C D"]
    cross: Float[Tensor, "G C V D"]

    def covariance(self) -> Float[Tensor, "G C V D"]:
        """C of every node; zero for fewer than two keys."""
        n = self.count.clamp_min(1)[..., None, None]
        product = self.value.unsqueeze(-1) * self.offset.unsqueeze(-2)
        return (self.cross / n - product).where(self.count[..., None, None] > 1, 0.0)

    def covariance_times(
        self, weight: Float[Tensor, "G B C"], y: Float[Tensor, "G B D"], chunk: int = 64
    ) -> Float[Tensor, "G B V"]:
        """Σ_s weight_s C_s y, without forming C."""
        weight = weight.where((self.count > 1).unsqueeze(1), 0.0)
        used = (weight != 0).any(dim=1).any(dim=0)
        share = weight / self.count.clamp_min(1).unsqueeze(1)
        total = -((weight * (y @ self.offset.mT)) @ self.value)
        for nodes in used.nonzero().squeeze(1).split(chunk):
            outer = share[:, :, nodes].unsqueeze(-1) * y.unsqueeze(2)
            cross = self.cross[:, nodes].transpose(2, 3).flatten(1, 2)
            total += outer.flatten(2) @ cross
        return total


def no_sums(tree: PromptTree, value_dim: int, crossed: bool = True) -> Sums:
    """Sums of no keys at all.

    Args:
        crossed: with Σ v dᵀ, the dearest of them, without which there is no covariance.
    """
    groups, nodes, dim = tree.centre.shape
    wide = value_dim if crossed else 0

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(groups, nodes, *shape, device=tree.centre.device)

    return Sums(
        zeros(), zeros(dim), zeros(dim), zeros(value_dim), zeros(), zeros(wide, dim)
    )  # fmt: skip


def add_keys(
    tree: PromptTree,
    sums: Sums,
    x: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    keys: Bool[Tensor, " T"],
    levels: Sequence[int] = (DOCUMENT, SECTION, PHRASE),
    chunk: int = 256,
) -> Sums:
    """Sums with the chosen keys added, at their node of every level.

    Equal to adding at the Phrases alone and taking `with_ancestors`, but at a cost that grows
    with the new keys only.
    """
    sums = Sums(*(tensor.clone() for tensor in sums.__dict__.values()))
    groups, nodes, dim = tree.centre.shape
    value_dim = v.shape[-1]
    offset = nodes * torch.arange(groups, device=x.device).unsqueeze(1)
    for part in keys.nonzero().squeeze(1).split(chunk):
        value = v[:, part].float().flatten(0, 1)
        square = (value * value).sum(-1)
        for level in levels:
            own = tree.key_node[:, part, level]
            node = (own + offset).flatten()
            centre = tree.centre.gather(1, own.unsqueeze(-1).expand(-1, -1, dim))
            d = (x[:, part].float() - centre).flatten(0, 1)
            sums.count.view(-1).index_add_(0, node, torch.ones_like(square))
            sums.first.view(-1, dim).index_add_(0, node, d)
            sums.second.view(-1, dim).index_add_(0, node, d * d)
            sums.value.view(-1, value_dim).index_add_(0, node, value)
            sums.value_square.view(-1).index_add_(0, node, square)
            if sums.cross.numel():
                sums.cross.view(-1, value_dim, dim).index_add_(
                    0, node, value.unsqueeze(-1) * d.unsqueeze(-2)
                )
    return sums


def phrase_sums(
    tree: PromptTree,
    x: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    keys: Bool[Tensor, " T"],
) -> Sums:
    """Sums of the chosen keys at their Phrase nodes alone (other nodes zero)."""
    return add_keys(tree, no_sums(tree, v.shape[-1]), x, v, keys, levels=(PHRASE,))


def with_ancestors(tree: PromptTree, phrases: Sums) -> Sums:
    """Sections and Documents from their children: recentre by δ = μ_child - μ_parent, add.

    The law that the hierarchy rests on, and what `add_keys` must agree with.
    """
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
    return Moments(
        count=sums.count,
        mean=tree.centre + offset,
        variance=variance,
        value=value,
        value_variance=value_variance.where(several.squeeze(-1), 0.0),
        offset=offset,
        cross=sums.cross,
    )
