"""Tempers, tilts and reads, calibrated against exact attention (design §5-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.baselines import oracle_outputs
from hsa.attention.near import NearKeys
from hsa.attention.opening import Openings
from hsa.attention.reference import answer, choose_cut, openings
from hsa.attention.tails import bounded, saturated
from hsa.attention.views import BlockView, block_views, into_layer
from hsa.field.curves import ErrorCurves
from hsa.field.layer_field import LayerField

TEMPERS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_TILT = 1.5
START_TEMPER, START_TILT = 0.75, 1.0


@dataclass(frozen=True)
class CalibrationText:
    """A text's activations at one layer, the queries sampled, and the reads to calibrate at."""

    activations: Activations
    queries: Int[Tensor, " Q"]
    reads: int


def relative_error(
    given: Float[Tensor, "H Q V"], wanted: Float[Tensor, "H Q V"]
) -> Float[Tensor, " H"]:
    """‖Ô - O‖_F / ‖O‖_F of each head over its queries."""
    return (given - wanted).norm(dim=(1, 2)) / wanted.norm(dim=(1, 2)).clamp_min(1e-30)


def fit_weights(
    texts: Sequence[CalibrationText],
    field: LayerField,
    near: NearKeys | None = None,
    rounds: int = 2,
) -> LayerField:
    """Temper and tilt per query head and level that leave the least output error.

    The cut is chosen with the current weights, then all tempers of a grid are tried, each with
    the tilts that least squares gives for it; twice, since the cut depends on the temper.
    """
    groups, heads = field.groups, field.temper.shape[1]
    field = replace(
        field,
        temper=torch.full_like(field.temper, START_TEMPER),
        tilt=torch.full_like(field.tilt, START_TILT),
    )
    for _ in range(rounds):
        parts = []
        for text in texts:
            activations, queries = text.activations, text.queries
            budget = torch.full((groups, heads), text.reads)
            wanted = exact.output(activations, exact.weights(activations, queries))
            scale = wanted.norm(dim=(1, 2)).square().view(groups, heads, 1, 1)
            wanted = wanted.view(groups, heads, *wanted.shape[1:])
            layer = into_layer(activations, field, near)
            for view in block_views(layer, queries):
                here = torch.isin(queries, view.block.queries)
                parts.append(_LevelSums.of(view, budget, wanted[:, :, here], scale))
        temper, tilt = _least_error(_LevelSums.join(parts))
        field = replace(field, temper=temper, tilt=tilt)
    return field


@dataclass(frozen=True)
class _LevelSums:
    """Of every row under its cut: what is read, and each level's closed splats at every temper.

    Masses are in units of exp(reference) of the row.
    """

    wanted: Float[Tensor, "G R B V"]
    weight: Float[Tensor, "G R B 1"]
    read_mass: Float[Tensor, "G R B"]
    read_value: Float[Tensor, "G R B V"]
    mass: Float[Tensor, "3 K G R B"]
    value: Float[Tensor, "3 K G R B V"]
    tilted: Float[Tensor, "3 K G R B V"]

    @staticmethod
    def of(
        view: BlockView,
        budget: Int[Tensor, "G R"],
        wanted: Float[Tensor, "G R Q V"],
        scale: Float[Tensor, "G R 1 1"],
    ) -> _LevelSums:
        opening, all_read = choose_cut(view, budget)
        given = answer(view, opening, all_read, view.layer.field.temper, 0 * view.layer.field.tilt)
        logits = view.logits.masked_fill(~given.read, -torch.inf)
        reference = given.log_z.unsqueeze(-1)
        read = (logits - reference).exp()
        level = view.layer.tree.level.unsqueeze(1)
        whole = torch.einsum("gbd,gcvd->gbcv", view.y, view.moments.covariance())
        tilted_value = saturated(whole, view.spread.unsqueeze(-1))
        masses, values, tilts = [], [], []
        for at in range(3):
            chosen = opening.closed & (level == at)
            for temper in TEMPERS:
                log_mass = view.gaussian + 0.5 * temper * bounded(view.spread) - reference
                # A mass e^20 above the row's own total is wrong at any tilt: keep it finite.
                mass = log_mass.clamp_max(20).exp() * chosen
                masses.append(mass.sum(-1))
                values.append(mass @ view.moments.value)
                tilts.append((mass.unsqueeze(2) @ tilted_value).squeeze(2))
        shape = (3, len(TEMPERS))

        def by_head(tensor: Tensor, dim: int) -> Tensor:
            return tensor.unflatten(dim, (view.heads, -1))

        return _LevelSums(
            wanted=wanted,
            weight=(1 / scale).expand(*wanted.shape[:3], 1),
            read_mass=by_head(read.sum(-1), 1),
            read_value=by_head(read @ view.layer.v, 1),
            mass=by_head(torch.stack(masses), 2).unflatten(0, shape),
            value=by_head(torch.stack(values), 2).unflatten(0, shape),
            tilted=by_head(torch.stack(tilts), 2).unflatten(0, shape),
        )

    @staticmethod
    def join(parts: Sequence[_LevelSums]) -> _LevelSums:
        def cat(name: str, dim: int) -> Tensor:
            return torch.cat([getattr(part, name) for part in parts], dim=dim)

        return _LevelSums(
            *(cat(name, 2) for name in ("wanted", "weight", "read_mass", "read_value")),
            *(cat(name, 4) for name in ("mass", "value", "tilted")),
        )


def _least_error(sums: _LevelSums) -> tuple[Float[Tensor, "G R 3"], Float[Tensor, "G R 3"]]:
    groups, heads = sums.read_mass.shape[:2]
    best = torch.full((groups, heads), torch.inf)
    temper, tilt = torch.zeros(groups, heads, 3), torch.zeros(groups, heads, 3)
    root = sums.weight.sqrt()
    for choice in product(range(len(TEMPERS)), repeat=3):
        mass = sum(sums.mass[level, k] for level, k in enumerate(choice))
        value = sum(sums.value[level, k] for level, k in enumerate(choice))
        z = (sums.read_mass + mass).unsqueeze(-1).clamp_min(1e-30)
        left = ((sums.wanted - (sums.read_value + value) / z) * root).flatten(2)
        columns = torch.stack(
            [(sums.tilted[level, k] / z * root).flatten(2) for level, k in enumerate(choice)], -1
        )
        gram = columns.mT @ columns
        right = columns.mT @ left.unsqueeze(-1)
        ridge = 1e-6 * gram.diagonal(dim1=-2, dim2=-1).amax(-1).clamp_min(1e-12)
        solved = torch.linalg.solve(gram + ridge[..., None, None] * torch.eye(3), right)
        theta = solved.squeeze(-1).clamp(0, MOST_TILT)
        error = (left - (columns @ theta.unsqueeze(-1)).squeeze(-1)).square().sum(-1)
        better = error < best
        best = torch.where(better, error, best)
        values = torch.tensor([TEMPERS[k] for k in choice])
        temper = torch.where(better.unsqueeze(-1), values, temper)
        tilt = torch.where(better.unsqueeze(-1), theta, tilt)
    return temper, tilt


def error_curves(
    texts: Sequence[CalibrationText],
    field: LayerField,
    reads: Sequence[int],
    stops: Sequence[float],
    near: NearKeys | None = None,
) -> ErrorCurves:
    """Error of each head at every budget and every stopping error, averaged over texts."""
    groups, heads = field.groups, field.temper.shape[1]
    grid = torch.tensor(sorted(reads))
    stop = torch.tensor(sorted(stops, reverse=True))
    error = torch.zeros(groups * heads, len(grid))
    oracle = torch.zeros_like(error)
    stop_reads = torch.zeros(groups * heads, len(stop))
    stop_error = torch.zeros_like(stop_reads)
    scale = torch.zeros(groups * heads)
    for text in texts:
        activations, queries = text.activations, text.queries
        wanted = exact.output(activations, exact.weights(activations, queries))
        rms = wanted.square().sum(-1).mean(-1).sqrt()
        scale += rms / len(texts)
        layer = into_layer(activations, field, near)
        at_reads = [torch.zeros_like(wanted) for _ in grid]
        at_stop = [torch.zeros_like(wanted) for _ in stop]
        at_oracle = [torch.zeros_like(wanted) for _ in grid]
        for view in block_views(layer, queries):
            here = torch.isin(queries, view.block.queries)
            rows = view.block.queries.numel()
            far = int(view.block.far.sum())
            most = torch.full((groups, heads * rows), min(int(grid[-1]), max(far - 1, 0)))
            limits = stop.view(-1, 1, 1) * rms.view(1, groups, heads)
            path = openings(view, most, limits)
            for k, budget in enumerate(grid.tolist()):
                if budget >= far:
                    at_reads[k][:, here] = wanted[:, here]
                    continue
                at_reads[k][:, here], _ = _until(view, path, torch.full_like(most, budget))
            for e in range(len(stop)):
                until = torch.minimum(path.stopped_at[e], most)
                at_stop[e][:, here], spent = _until(view, path, until)
                stop_reads[:, e] += spent.sum(-1) / (len(texts) * queries.numel())
            for k, given in enumerate(oracle_outputs(view, grid.tolist())):
                at_oracle[k][:, here] = given
        for k in range(len(grid)):
            error[:, k] += relative_error(at_reads[k], wanted) / len(texts)
            oracle[:, k] += relative_error(at_oracle[k], wanted) / len(texts)
        for e in range(len(stop)):
            stop_error[:, e] += relative_error(at_stop[e], wanted) / len(texts)
    return ErrorCurves(
        texts[0].activations.tokens, grid, error, oracle, stop, stop_reads, stop_error, scale
    )


def _until(
    view: BlockView, path: Openings, reads: Int[Tensor, "G B"]
) -> tuple[Float[Tensor, "H Q V"], Int[Tensor, "H Q"]]:
    """Output and reads of the cuts that end within `reads`."""
    field, heads = view.layer.field, view.heads
    cut = path.until(reads)
    given = answer(view, cut, torch.zeros_like(cut.raised), field.temper, field.tilt)
    output = given.output.unflatten(1, (heads, -1)).flatten(0, 1)
    return output, cut.reads.unflatten(1, (heads, -1)).flatten(0, 1)
