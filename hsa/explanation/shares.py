"""The four shares of a weight, A_ij = D·S·P·t, for every key of some rows (design §7)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.attention.effective import CutRows
from hsa.field.splat_field import DOCUMENT, PHRASE, SECTION


@dataclass(frozen=True)
class RowShares:
    """Logs of the shares that lead from a row's total mass down to its keys.

    Attributes:
        of_parent: a node's share of its parent's untilted mass, of the row's for a Document;
            these are D, S and P.
        of_phrase: a key's share of the untilted mass of its Phrase.
        tilt_factor: 1 + θ_s·y·(x_j - x̄_s) under a closed splat, one elsewhere; not a log.
    """

    of_parent: Float[Tensor, "Q C"]
    of_phrase: Float[Tensor, "Q T"]
    tilt_factor: Float[Tensor, "Q T"]

    def path(self, cut: CutRows) -> Float[Tensor, "Q T 3"]:
        """Log D, log S and log P of every key."""
        return self.of_parent[:, cut.key_node]

    def product(self, cut: CutRows) -> Float[Tensor, "Q T"]:
        """D·S·P·t of every key that the query may see, zero for the others."""
        log = self.path(cut).sum(-1) + self.of_phrase
        return torch.where(cut.visible, log.exp() * self.tilt_factor, 0.0)


def row_shares(cut: CutRows) -> RowShares:
    """Shares from the masses of the cut's members alone: the row's Z is not looked at.

    Every share is taken of the sum over what stands beside it, so that the product telescopes
    to A_ij only if the members, their counts and the routing of keys agree at every level.
    """
    mass = _node_log_mass(cut)
    visible = _visible_keys(cut)
    share = torch.full_like(mass, -torch.inf)
    whole, keys = torch.full_like(mass, -torch.inf), torch.zeros_like(visible)
    for level in (DOCUMENT, SECTION, PHRASE):
        nodes = (cut.level == level).nonzero().squeeze(1)
        # All Documents have the row itself above them; node 0 stands for it.
        above = cut.parent[nodes].clamp_min(0) if level > DOCUMENT else torch.zeros_like(nodes)
        whole = _log_sum_at(above, mass[:, nodes], mass.shape[1])
        keys = torch.zeros_like(visible).index_add_(1, above, visible[:, nodes])
        share[:, nodes] = _log_share(
            mass[:, nodes], whole[:, above], visible[:, nodes], keys[:, above]
        )
    token = cut.log_token_mass()
    phrase = cut.key_node[:, PHRASE]
    of_phrase = _log_share(
        token,
        _log_sum_at(phrase, token, mass.shape[1])[:, phrase],
        cut.visible.double(),
        visible[:, phrase],
    )
    return RowShares(share, of_phrase, cut.tilt_factor())


def _node_log_mass(cut: CutRows) -> Float[Tensor, "Q C"]:
    """Untilted log mass of every node, tokens read counted in the splats they are routed to.

    Upward, a node holds its own closed mass and what lies below it; downward, a child of a
    closed splat has the share n_child / n_s of it.
    """
    nodes = cut.closed.shape[1]
    tokens = cut.logits.masked_fill(~cut.read, -torch.inf)
    held = torch.logaddexp(cut.log_mass, _log_sum_at(cut.key_node[:, PHRASE], tokens, nodes))
    given = cut.log_mass.clone()
    for level in (PHRASE, SECTION):
        children = (cut.level == level).nonzero().squeeze(1)
        below = _log_sum_at(cut.parent[children], held[:, children], nodes)
        held = torch.logaddexp(held, below)
    for level in (SECTION, PHRASE):
        children = (cut.level == level).nonzero().squeeze(1)
        parents = cut.parent[children]
        part = cut.count[children].log() - cut.count[parents].clamp_min(1).log()
        from_above = given[:, parents] + part
        held[:, children] = torch.logaddexp(held[:, children], from_above)
        given[:, children] = torch.logaddexp(given[:, children], from_above)
    return held


def _visible_keys(cut: CutRows) -> Float[Tensor, "Q C"]:
    """How many keys that the query may see lie in each node."""
    keys = torch.zeros(cut.closed.shape, dtype=torch.float64)
    for level in (DOCUMENT, SECTION, PHRASE):
        keys.index_add_(1, cut.key_node[:, level], cut.visible.double())
    return keys


def _log_share(part: Tensor, whole: Tensor, keys: Tensor, all_keys: Tensor) -> Tensor:
    """A difference of logs; below a parent without mass, the share of its visible keys."""
    by_count = keys.log() - all_keys.clamp_min(1).log()
    return torch.where(whole == -torch.inf, by_count, part - whole)


def _log_sum_at(
    node: Int[Tensor, " N"], log_mass: Float[Tensor, "Q N"], nodes: int
) -> Float[Tensor, "Q C"]:
    """Log Σ exp over the entries of each node, -inf for a node without any."""
    index = node.expand_as(log_mass)
    top = torch.full((log_mass.shape[0], nodes), -torch.inf, dtype=log_mass.dtype)
    top = top.scatter_reduce(1, index, log_mass, "amax")
    safe = top.masked_fill(top == -torch.inf, 0.0)
    total = torch.zeros_like(top).scatter_add(1, index, (log_mass - safe.gather(1, index)).exp())
    return total.log() + safe
