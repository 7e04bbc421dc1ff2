"""HSA as slowly and plainly as the definition reads: one query at a time, in float64.

Written from the definition alone; shares no code with the engine but the field's own tensors.
Splats are the rows of one head's field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hsa.activations import Activations
from hsa.field.layer_field import LayerField

SATURATION, NEGATIVE_LIMIT = 0.1, 0.02


@dataclass
class SlowRow:
    """One query's cut and answer."""

    output: Tensor
    weights: dict[int, float]
    closed: set[int]
    tilted: bool
    log_z: float
    closest_call: float
    """Smallest gap in any decision that was taken: below rounding it may fall either way."""
    reads: int = 0
    opened: set[int] = field(default_factory=set)
    raised: bool = False
    whole: bool = False


class SlowHead:
    """One query head over the whole text."""

    def __init__(
        self,
        activations: Activations,
        splats: LayerField,
        head: int,
        near: tuple[int, int, int],
    ) -> None:
        group, member = divmod(head, activations.group)
        self.sinks, self.window, self.step = near
        self.causal = activations.causal
        self.special = activations.near_special.tolist()
        self.q = activations.q[head].double()
        self.k, self.v = activations.k[group].double(), activations.v[group].double()
        self.scaling = activations.scaling
        self.level = splats.level[group].tolist()
        self.parent = splats.parent[group].tolist()
        self.temper = splats.temper[group, member].tolist()
        self.tilt = splats.tilt[group, member].tolist()
        frame = splats.frame[group].double()
        self.x = torch.stack([frame @ key for key in self.k])
        inverse = torch.linalg.inv(frame)
        self.y = torch.stack([inverse @ (self.scaling * query) for query in self.q])
        self.phrase, self.routing_gap = self._route(splats, group)
        self.known: dict[tuple[int, ...], dict[int, dict]] = {}
        self.last_far: list[int] = []

    def _route(self, splats: LayerField, group: int) -> tuple[list[int], float]:
        phrases = [row for row, level in enumerate(self.level) if level == 2]
        variance = splats.log_spread[group].double().exp()
        amplitude = splats.log_amplitude[group].double().exp()
        total = sum(float(amplitude[row]) for row in phrases)
        within = sum(float(amplitude[row]) * variance[row] for row in phrases) / total
        found, gap = [], math.inf
        for x in self.x:
            scores = []
            for row in phrases:
                widened = variance[row] + within
                away = (x - splats.position[group, row].double()) ** 2
                density = -0.5 * float((widened.log() + away / widened).sum())
                scores.append((density + float(splats.log_amplitude[group, row]), row))
            scores.sort(reverse=True)
            found.append(scores[0][1])
            if len(scores) > 1:
                gap = min(gap, scores[0][0] - scores[1][0])
        return found, gap

    def chain(self, row: int) -> list[int]:
        """A splat and its ancestors."""
        return [row, *(self.chain(self.parent[row]) if self.parent[row] >= 0 else [])]

    def far_keys(self, query: int) -> list[int]:
        tokens = len(self.k)
        if self.causal:
            boundary = (query - self.window + 1) // self.step * self.step
            keys = [j for j in range(tokens) if self.sinks <= j < boundary]
        else:
            start = query // self.step * self.step
            low, high = start - self.window, start + self.step + self.window
            keys = [j for j in range(tokens) if not low <= j < high]
        return [j for j in keys if not self.special[j]]

    def moments(self, far: list[int]) -> dict[int, dict]:
        """Count, means, variances and covariance of every non-empty splat."""
        if tuple(far) not in self.known:
            keys: dict[int, list[int]] = {}
            for j in far:
                for row in self.chain(self.phrase[j]):
                    keys.setdefault(row, []).append(j)
            self.known[tuple(far)] = {row: self._moments(own) for row, own in keys.items()}
        return self.known[tuple(far)]

    def _moments(self, own: list[int]) -> dict:
        x, v = self.x[own], self.v[own]
        mean, value = x.mean(0), v.mean(0)
        covariance = sum(torch.outer(b - value, a - mean) for a, b in zip(x, v, strict=True))
        return {
            "keys": own,
            "mean": mean,
            "variance": ((x - mean) ** 2).mean(0),
            "value": value,
            "value_variance": float(((v - value) ** 2).sum(1).mean()),
            "covariance": covariance / len(own),
        }

    def attend(self, query: int, reads: int, stop_error: float | None = None) -> SlowRow:
        far = self.far_keys(query)
        seen = range(query + 1) if self.causal else range(len(self.k))
        near = [j for j in seen if j not in far]
        known = self.moments(far)
        logit = {j: self.scaling * float(self.q[query] @ self.k[j]) for j in seen}
        y = self.y[query]
        if stop_error is None and reads >= len(far):
            answer = self._answer(query, near, far, {}, logit, {}, {})
            answer.reads, answer.whole = len(far), True
            return answer

        children: dict[int, list[int]] = {}
        for row in sorted(known):
            if self.parent[row] >= 0:
                children.setdefault(self.parent[row], []).append(row)

        def stand_in(row: int) -> int:
            """A splat, or its only non-empty child in its place."""
            while self.level[row] < 2 and len(children[row]) == 1:
                row = children[row][0]
            return row

        def spread(row: int) -> float:
            return float((y**2 * known[row]["variance"]).sum())

        def log_mass(row: int, temper: float, tail: float = 0.01) -> float:
            mass = math.log(len(known[row]["keys"])) + float(y @ known[row]["mean"])
            return mass + 0.5 * temper * spread(row) / (1 + tail * spread(row))

        def log_error(row: int, temper: float) -> float:
            mess = max(spread(row), 1e-30), max(known[row]["value_variance"], 1e-30)
            return log_mass(row, temper, 0) + 0.5 * math.log(mess[0]) + 0.5 * math.log(mess[1])

        def cost(row: int) -> int:
            return len(known[row]["keys"]) if self.level[row] == 2 else len(children[row])

        closed = {stand_in(row) for row in known if self.level[row] == 0}
        opened: set[int] = set()
        spent, closest = len(closed), math.inf
        raised = reads < spent
        left = max(0, reads - spent)
        exact_keys = list(near)
        while True:
            if stop_error is not None:
                total = sum(math.exp(logit[j]) for j in exact_keys)
                total += sum(math.exp(log_mass(row, 1.0, 0)) for row in closed)
                error = math.sqrt(sum(math.exp(log_error(row, 1.0)) ** 2 for row in closed))
                closest = min(closest, abs(error / total / max(stop_error, 1e-9) - 1))
                if error / total <= stop_error:
                    break
            ranked = sorted(
                (-log_error(row, max(self.temper[self.level[row]], 0.5)) + math.log(cost(row)), row)
                for row in closed
                if len(known[row]["keys"]) > 1 and cost(row) <= left
            )
            if not ranked:
                break
            if len(ranked) > 1:
                closest = min(closest, ranked[1][0] - ranked[0][0])
            row = ranked[0][1]
            left -= cost(row)
            spent += cost(row)
            closed.remove(row)
            opened.add(row)
            if self.level[row] == 2:
                exact_keys += known[row]["keys"]
            else:
                closed |= {stand_in(child) for child in children[row]}
        read = [j for j in exact_keys if j not in near]
        masses = {row: log_mass(row, self.temper[self.level[row]]) for row in closed}
        spreads = {row: spread(row) for row in closed}
        answer = self._answer(
            query, near, read, {row: known[row] for row in closed}, logit, masses, spreads
        )
        answer.reads, answer.opened, answer.raised = spent, opened, raised
        answer.closest_call = min(answer.closest_call, closest)
        return answer

    def _answer(
        self,
        query: int,
        near: list[int],
        read: list[int],
        closed: dict[int, dict],
        logit: dict[int, float],
        masses: dict[int, float],
        spreads: dict[int, float],
    ) -> SlowRow:
        closest = math.inf
        log_z = math.log(
            sum(math.exp(logit[j]) for j in near + read)
            + sum(math.exp(masses[row]) for row in closed)
        )
        for tilted in (True, False):
            weights = {j: math.exp(logit[j] - log_z) for j in near + read}
            output = sum(weights[j] * self.v[j] for j in weights)
            negative = 0.0
            for row in closed:
                has, share = closed[row], math.exp(masses[row] - log_z)
                theta = self.tilt[self.level[row]] / (1 + SATURATION * spreads[row]) * tilted
                y = self.y[query]
                output = output + share * (has["value"] + theta * has["covariance"] @ y)
                for j in has["keys"]:
                    part = 1 + theta * float(y @ (self.x[j] - has["mean"]))
                    weights[j] = share * part / len(has["keys"])
                    negative += max(0.0, -weights[j])
            closest = min(closest, abs(negative - NEGATIVE_LIMIT))
            if negative <= NEGATIVE_LIMIT:
                break
        return SlowRow(
            output=torch.as_tensor(output),
            weights=weights,
            closed=set(closed),
            tilted=tilted,
            log_z=log_z,
            closest_call=closest,
        )
