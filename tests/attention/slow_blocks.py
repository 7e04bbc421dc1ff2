"""Blocked HSA as slowly and plainly as it can be said: one query, one splat at a time, in float64.

Written from the definition; shares no code with the engine but the field's own tensors, its
plan and its routing formula said anew. Answers are differentiable; splats are rows of a field.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.block_opening import SharedOpening
from hsa.attention.block_plan import BlockPlan
from hsa.field.layer_field import LayerField

SINKS = 4
SECTION, PHRASE = 1, 2


@dataclass
class Held:
    """The far keys that a splat holds, and their moments."""

    keys: list[int]
    mean: Tensor
    variance: Tensor
    value: Tensor
    value_variance: Tensor
    covariance: Tensor


@dataclass
class SlowCut:
    """What is closed and opened, and the smallest gap between two that were ranked."""

    closed: set[int]
    opened: set[int]
    tokens: set[int]
    looked_at: int
    closest_call: float

    @property
    def reads(self) -> int:
        return self.looked_at + len(self.tokens)


class SlowBlocks:
    """One layer over one text."""

    def __init__(self, layer: Activations, field: LayerField, plan: BlockPlan) -> None:
        self.plan, self.field, self.scaling = plan, field, layer.scaling
        self.q, self.k, self.v = layer.q.double(), layer.k.double(), layer.v.double()
        self.heads = self.q.shape[0] // self.k.shape[0]
        frame = field.frame.double()
        inverse = torch.linalg.inv(frame).repeat_interleave(self.heads, 0)
        self.x = self.k @ frame.mT
        self.y = self.scaling * self.q @ inverse.mT
        self.temper = field.temper.double().flatten(0, 1)
        self.tilt = field.tilt.double().flatten(0, 1)
        self.level, self.parent = field.level.tolist(), field.parent.tolist()
        self.sections = max(levels.count(SECTION) for levels in self.level)
        self.phrase, gaps = zip(*(self._route(g) for g in range(self.k.shape[0])), strict=True)
        self.routing_gap = min(gaps)
        self._held: dict[tuple[int, int], dict[int, Held]] = {}

    def _route(self, group: int) -> tuple[list[int], float]:
        phrases = [row for row, level in enumerate(self.level[group]) if level == PHRASE]
        variance = self.field.log_spread[group].double().exp()
        amplitude = self.field.log_amplitude[group].double().exp()
        total = sum(amplitude[row] for row in phrases)
        within = sum(amplitude[row] * variance[row] for row in phrases) / total
        wide = variance[phrases] + within
        away = (self.x[group].detach().unsqueeze(1) - self.field.position[group, phrases]) ** 2
        density = -0.5 * (wide.log() + away / wide).sum(-1)
        best = (density + self.field.log_amplitude[group, phrases]).topk(min(2, len(phrases)))
        gap = (
            float((best.values[:, 0] - best.values[:, -1]).min()) if len(phrases) > 1 else math.inf
        )
        return [phrases[at] for at in best.indices[:, 0].tolist()], gap

    def far(self, block: int) -> list[int]:
        """Keys that are far from every query of a block."""
        size, tokens = self.plan.block, self.q.shape[1]
        if self.plan.causal:
            return list(range(SINKS, (block - 1) * size))
        around = range((block - 1) * size, (block + 2) * size)
        return [j for j in range(1, tokens - 1) if j not in around]

    def near(self, query: int) -> list[int]:
        """Keys that a query always reads."""
        far = set(self.far(query // self.plan.block))
        seen = query + 1 if self.plan.causal else self.q.shape[1]
        return [j for j in range(seen) if j not in far]

    def scoring(self, block: int) -> dict[int, list[int]]:
        """Queries that choose for a block, and the near keys that each of them weighs."""
        size, scored = self.plan.block, self.plan.scored
        if self.plan.causal:
            start = (block - 1) * size
            chosen = range(start + size // scored - 1, start + size, size // scored)
            return {query: [*range(SINKS), *range(start, query + 1)] for query in chosen}
        real = min(size, self.q.shape[1] - block * size)
        chosen = [block * size + max((i + 1) * real // scored - 1, 0) for i in range(scored)]
        return {query: self.near(query) for query in chosen}

    def held(self, group: int, block: int) -> dict[int, Held]:
        """Every Section and Phrase that holds far keys of a block."""
        if (group, block) not in self._held:
            keys: dict[int, list[int]] = {}
            for j in self.far(block):
                row = self.phrase[group][j]
                for splat in (row, self.parent[group][row]):
                    keys.setdefault(splat, []).append(j)
            self._held[group, block] = {row: self._of(group, own) for row, own in keys.items()}
        return self._held[group, block]

    def _of(self, group: int, keys: list[int]) -> Held:
        x, v = self.x[group, keys], self.v[group, keys]
        mean, value = x.mean(0), v.mean(0)
        variance = ((x - mean) ** 2).mean(0)
        covariance = (v - value).mT @ (x - mean) / len(keys)
        return Held(keys, mean, variance, value, ((v - value) ** 2).sum(1).mean(), covariance)

    def spread(self, head: int, query: int, splat: Held) -> Tensor:
        return (self.y[head, query] ** 2 * splat.variance).sum()

    def log_mass(self, head: int, query: int, row: int, splat: Held) -> Tensor:
        temper = self.temper[head, self.level[head // self.heads][row]]
        spread = self.spread(head, query, splat)
        exponent = self.y[head, query] @ splat.mean + 0.5 * temper * spread / (1 + 0.01 * spread)
        return math.log(len(splat.keys)) + exponent

    def leaning(self, head: int, query: int, row: int, splat: Held) -> Tensor:
        """Value of a closed splat for a query that opened for itself: v̄ + θ C y."""
        if len(splat.keys) < self.plan.tilted:
            return splat.value
        theta = self.tilt[head, self.level[head // self.heads][row]]
        theta = theta / (1 + 0.1 * self.spread(head, query, splat))
        return splat.value + theta * splat.covariance @ self.y[head, query]

    def alone(self, head: int, query: int, cut: SlowCut) -> Tensor:
        """The answer to a query that made this cut itself."""
        return self.answer(head, query, cut.closed, cut.tokens, leans=True)

    def answer(
        self,
        head: int,
        query: int,
        closed: Iterable[int],
        tokens: Iterable[int],
        leans: bool = False,
    ) -> Tensor:
        """Softmax over near keys, opened tokens and closed splats."""
        group, block = head // self.heads, query // self.plan.block
        held = self.held(group, block)
        read = self.near(query) + sorted(tokens)
        logits = [self.scaling * self.k[group, read] @ self.q[head, query]]
        values = [self.v[group, read]]
        for row in sorted(closed):
            logits.append(self.log_mass(head, query, row, held[row]).reshape(1))
            splat = held[row]
            value = self.leaning(head, query, row, splat) if leans else splat.value
            values.append(value.unsqueeze(0))
        return torch.cat(logits).softmax(0) @ torch.cat(values)

    def answers(self, openings: Sequence[SharedOpening]) -> Tensor:
        """[G, R, T, V] of all queries, under the openings that blocks shared."""
        rows = []
        for head in range(self.q.shape[0]):
            for query in range(self.q.shape[1]):
                part, at = divmod(query // self.plan.block, self.plan.chunk)
                opening, where = openings[part], (at, head // self.heads)
                closed = opening.splat[where][opening.splat_there[where]].tolist()
                tokens = opening.token[where][opening.token_there[where]].tolist()
                rows.append(self.answer(head, query, closed, tokens))
        return torch.stack(rows).view(-1, self.heads, self.q.shape[1], self.v.shape[2])

    @torch.no_grad()
    def shared_cut(self, group: int, block: int) -> SlowCut:
        """The cut that scoring queries choose for a block."""
        held = self.held(group, block)
        square = dict.fromkeys(held, 0.0)
        votes = 0
        for head in range(group * self.heads, (group + 1) * self.heads):
            for query, near in self.scoring(block).items():
                logits = self.scaling * self.k[group, near] @ self.q[head, query]
                mass = {r: math.exp(self.log_mass(head, query, r, s)) for r, s in held.items()}
                total = float(logits.exp().sum())
                total += sum(mass[row] for row in mass if self.level[group][row] == PHRASE)
                for row, splat in held.items():
                    share = min(1.0, mass[row] / total)
                    square[row] += share**2 * float(self.spread(head, query, splat))
                votes += 1
        log_error = {
            row: 0.5 * (_log(square[row] / votes) + _log(float(splat.value_variance)))
            for row, splat in held.items()
        }
        splats = max(self.plan.splats, self.sections)
        return self._cut(group, held, log_error, splats, self.plan.tokens)

    @torch.no_grad()
    def own_cut(self, head: int, query: int, reads: int) -> SlowCut:
        """The cut that one query chooses for itself within its reads."""
        group = head // self.heads
        held = self.held(group, query // self.plan.block)
        log_error = {}
        for row, splat in held.items():
            mess = _log(float(self.spread(head, query, splat))) + _log(float(splat.value_variance))
            log_error[row] = float(self.log_mass(head, query, row, splat)) + 0.5 * mess
        return self._cut(group, held, log_error, None, None, reads)

    def _cut(
        self,
        group: int,
        held: dict[int, Held],
        log_error: dict[int, float],
        splats: int | None,
        tokens: int | None,
        reads: int = 0,
    ) -> SlowCut:
        """A query's own cut has `reads` alone: 40 % of those beyond Sections go to Phrases."""
        level, parent = self.level[group], self.parent[group]
        sections = [row for row in held if level[row] == SECTION]
        children = {s: [row for row in held if parent[row] == s] for s in sections}
        own = tokens is None
        price = {s: len(c) - 1 + (own and len(c) > 1) for s, c in children.items()}
        split, gap = _within(
            {row: log_error[row] - math.log(len(children[row])) for row in sections},
            price,
            round(0.4 * max(reads - len(sections), 0))
            if splats is None
            else splats - len(sections),
        )
        looked_at = len(sections) + sum(price[row] for row in split)
        line = (tokens if tokens is not None else reads) // 2 + 32
        tokens = max(reads - looked_at, 0) if tokens is None else tokens
        phrases = [row for section in split for row in children[section]]
        several = [row for row in phrases if len(held[row].keys) > 1]
        opened, other = _within(
            {row: log_error[row] - math.log(len(held[row].keys)) for row in several},
            {row: len(held[row].keys) for row in several},
            tokens,
            line,
        )
        closed = (set(sections) - split) | (set(phrases) - opened)
        tokens_read = {j for row in opened for j in held[row].keys}
        return SlowCut(closed, opened, tokens_read, looked_at, min(gap, other))


def _within(
    priority: dict[int, float], cost: dict[int, int], budget: int, most: int | None = None
) -> tuple[set[int], float]:
    """Free ones, then by falling priority until one does not fit, then once more over the rest.

    Only the first `most` stand in line, and the second time only those of them that fit the rest
    alone. Also the smallest gap.
    """
    opened = {row for row in priority if cost[row] == 0}
    ranked = sorted(set(priority) - opened, key=lambda row: -priority[row])
    gaps = [priority[a] - priority[b] for a, b in pairwise(ranked)]
    line = ranked[:most]
    for _ in range(2):
        taken = set()
        for row in line:
            if sum(cost[other] for other in taken) + cost[row] > budget:
                break
            taken.add(row)
        opened |= taken
        budget -= sum(cost[row] for row in taken)
        line = [row for row in line if row not in taken and cost[row] <= budget]
    return opened, min(gaps, default=math.inf)


def _log(value: float) -> float:
    return math.log(max(value, 1e-300))
