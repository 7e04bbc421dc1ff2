"""Which splats a query opens: best first, within its reads (design §6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.field.tree import OpeningTree

NEVER = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Opening:
    """The cut of each query: closed splats, opened ones, and what was read for it."""

    closed: Bool[Tensor, "G B C"]
    opened: Bool[Tensor, "G B C"]
    reads: Int[Tensor, "G B"]
    raised: Bool[Tensor, "G B"]

    def reading_all(self, exact: Bool[Tensor, "G B"], far: int) -> Opening:
        """The same, but that some rows read all of their far keys and evaluate no splat."""
        return Opening(
            self.closed & ~exact.unsqueeze(-1),
            self.opened & ~exact.unsqueeze(-1),
            self.reads.masked_fill(exact, far),
            self.raised & ~exact,
        )


@dataclass(frozen=True)
class Openings:
    """The order in which each query opens splats; smaller budgets are beginnings of it.

    `opened_at` [G, B, C]: reads made once the node was open, NEVER for one that stayed closed.
    `stopped_at` [K, G, B]: reads at which the estimated error first met each of K limits.
    """

    tree: OpeningTree
    opened_at: Int[Tensor, "G B C"]
    stopped_at: Int[Tensor, "K G B"]
    raised: Bool[Tensor, "G B"]

    def until(self, reads: Int[Tensor, "G B"]) -> Opening:
        """The cut after the openings that end within `reads`."""
        tree = self.tree
        opened = self.opened_at <= reads.unsqueeze(-1)
        above = tree.parent.clamp_min(0).unsqueeze(1).expand_as(opened)
        revealed = opened.gather(2, above) & (tree.kept & (tree.parent >= 0)).unsqueeze(1)
        evaluated = tree.root.unsqueeze(1) | revealed
        spent = tree.root.sum(1, keepdim=True) + (tree.cost.unsqueeze(1) * opened).sum(-1)
        return Opening(evaluated & ~opened, opened, spent, self.raised)


@dataclass(frozen=True)
class StopRule:
    """Stop once the estimated error of what stays closed is small enough (design §6).

    Estimated error = √Σ_closed (m·√u·√tr Var(v))² / Z, in the unit of the output. All logs:
    error and mass per node, the exact mass that opening a Phrase would find, the near keys'
    mass. `limits` [K, G, B] are the errors allowed; opening ends when all are met.
    """

    log_error: Float[Tensor, "G B C"]
    log_mass: Float[Tensor, "G B C"]
    log_read: Float[Tensor, "G B C"]
    log_near: Float[Tensor, "G B"]
    limits: Float[Tensor, "K G B"]


def open_splats(
    tree: OpeningTree,
    priority: Float[Tensor, "G B C"],
    budget: Int[Tensor, "G B"],
    stop: StopRule | None = None,
) -> Openings:
    """Open the splat of largest priority that fits, until none does or `stop` is content.

    Ties go to the lower node. A budget below the number of roots is raised to it. A budget of
    at least the number of far keys is the caller's affair: it reads them all.

    Args:
        priority: log expected error removed per read.
    """
    groups, rows, nodes = priority.shape
    group = torch.arange(groups, device=priority.device).repeat_interleave(rows)
    child, cost = tree.child(), tree.cost
    roots = tree.root.sum(1)[group]
    spent = roots.clone()
    remaining = (budget.flatten() - roots).clamp_min(0)
    opened_at = torch.full_like(priority, NEVER, dtype=torch.int64).flatten(0, 1)
    ready = priority.masked_fill(~tree.openable.unsqueeze(1), -torch.inf).flatten(0, 1)
    score = ready.masked_fill(~tree.root[group], -torch.inf)
    balance = None if stop is None else _Balance(stop, tree, spent)

    row = torch.arange(groups * rows, device=priority.device)
    while row.numel():
        possible = score.masked_fill(cost[group] > remaining.unsqueeze(1), -torch.inf)
        best, node = possible.max(dim=1)
        going = best > -torch.inf
        if balance is not None:
            going &= ~balance.content()
        if not bool(going.all()):
            row, node, group, spent, remaining, score, ready = (
                t[going] for t in (row, node, group, spent, remaining, score, ready)
            )
            if balance is not None:
                balance.keep(going)
            if not row.numel():
                break
        one = torch.arange(row.numel(), device=row.device)
        price, children = cost[group, node], child[group, node]
        remaining = remaining - price
        spent = spent + price
        opened_at[row, node] = spent
        score = torch.where(children, ready, score)
        score[one, node] = -torch.inf
        if balance is not None:
            balance.open(node, children, spent)
    stopped = (
        torch.zeros(0, groups, rows, dtype=torch.int64)
        if balance is None
        else balance.stopped_at.unflatten(1, (groups, rows))
    )
    return Openings(
        tree, opened_at.view(groups, rows, nodes), stopped, budget < tree.root.sum(1, keepdim=True)
    )


class _Balance:
    """Z and squared error of each query's closed splats, in units of exp(reference).

    Summed anew after every opening: with τ = 1 a coarse splat's mass can stand e^40 above the
    row's own, and nothing would be left of what remains once it was subtracted.
    """

    def __init__(self, stop: StopRule, tree: OpeningTree, spent: Int[Tensor, " B"]) -> None:
        top = torch.maximum(stop.log_read, stop.log_mass).amax(-1)
        reference = torch.maximum(stop.log_near, top).unsqueeze(-1)

        def flat(log: Tensor) -> Tensor:
            return (log - reference).double().exp().flatten(0, 1)

        self.mass, self.read = flat(stop.log_mass), flat(stop.log_read)
        self.square = flat(stop.log_error).square()
        self.limit = stop.limits.double().flatten(1)
        self.closed = tree.root.unsqueeze(1).expand(stop.log_mass.shape).flatten(0, 1).clone()
        self.exact = flat(stop.log_near.unsqueeze(-1)).squeeze(-1)
        self.row = torch.arange(self.exact.numel(), device=self.exact.device)
        self.stopped_at = torch.full_like(self.limit, NEVER, dtype=torch.int64)
        self._mark(spent)

    def content(self) -> Bool[Tensor, " A"]:
        """Rows that have met every limit."""
        return (self.stopped_at[:, self.row] < NEVER).all(0)

    def keep(self, going: Bool[Tensor, " A"]) -> None:
        for name in ("mass", "read", "square", "closed", "exact", "row"):
            setattr(self, name, getattr(self, name)[going])

    def open(
        self, node: Int[Tensor, " A"], children: Bool[Tensor, "A C"], spent: Int[Tensor, " A"]
    ) -> None:
        at = torch.arange(node.numel(), device=node.device)
        leaf = ~children.any(1)
        self.exact = self.exact + self.read[at, node] * leaf
        self.closed = self.closed | children
        self.closed[at, node] = False
        self._mark(spent)

    def _mark(self, spent: Int[Tensor, " A"]) -> None:
        error = (self.square * self.closed).sum(1).sqrt()
        total = self.exact + (self.mass * self.closed).sum(1)
        estimated = error / total.clamp_min(1e-300)
        met = estimated <= self.limit[:, self.row]
        before = self.stopped_at[:, self.row]
        self.stopped_at[:, self.row] = torch.where(
            met & (before == NEVER), spent.expand_as(before), before
        )
