"""One block of queries answered by each method of the fidelity protocol, at the same near keys."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.attention.baselines import opened_read, oracle_read, page_read, softmax_over
from hsa.attention.opening import Opening
from hsa.attention.reference import answer, choose_cut, closed_shares
from hsa.attention.spending import Spending
from hsa.attention.views import BlockView


@dataclass(frozen=True)
class MethodRows:
    """Rows of one block: weights over all keys, output, far reads and multiply-adds per query.

    `weights` are non-negative and sum to one (HSA's without the tilt, so that a divergence is
    defined); `signed` are those that the output was made with.
    """

    weights: Float[Tensor, "G B T"]
    signed: Float[Tensor, "G B T"]
    output: Float[Tensor, "G B V"]
    reads: Float[Tensor, "G B"]
    multiply_adds: Float[Tensor, "G B"]


def hsa_rows(view: BlockView, spending: Spending, weighted: bool = True) -> MethodRows:
    """HSA with its calibrated weights, or as plain centroids (τ = θ = 0)."""
    field = view.layer.field
    if not weighted:
        field = replace(field, temper=0 * field.temper, tilt=0 * field.tilt)
        view = replace(view, layer=replace(view.layer, field=field))
    cut, exact = choose_cut(view, *spending.per_group(view.heads))
    given = answer(view, cut, exact, field.temper, field.tilt)
    log_z = given.log_z.unsqueeze(-1)
    tokens = (view.logits.masked_fill(~given.read, -torch.inf) - log_z).exp()
    mass = (given.log_mass - log_z).exp()
    dim = view.layer.k.shape[-1] + view.layer.v.shape[-1]
    evaluated = (cut.closed | cut.opened).sum(-1)
    closed = cut.closed.sum(-1)
    tilted = (given.tilt != 0).sum(-1)
    key, value = view.layer.k.shape[-1], view.layer.v.shape[-1]
    work = (
        given.read.sum(-1) * dim
        + evaluated * key * (2 if weighted else 1)
        + closed * value
        + tilted * key * value
        + key * key
    )
    return MethodRows(
        weights=tokens + closed_shares(view, mass, torch.zeros_like(mass)),
        signed=tokens + closed_shares(view, mass, given.tilt),
        output=given.output,
        reads=cut.reads.float(),
        multiply_adds=work.float(),
    )


def read_rows(
    view: BlockView, read: Tensor, reads: Float[Tensor, "G B"], choosing: float
) -> MethodRows:
    """Softmax over the tokens read alone; `choosing` are the multiply-adds of the choice."""
    weights = softmax_over(view, read)
    dim = view.layer.k.shape[-1] + view.layer.v.shape[-1]
    return MethodRows(
        weights, weights, weights @ view.layer.v, reads, (read.sum(-1) * dim + choosing).float()
    )


def opened_only_rows(view: BlockView, spending: Spending) -> MethodRows:
    """The tokens that HSA's cut opens, at HSA's reads, its closed splats dropped."""
    cut, exact = choose_cut(view, *spending.per_group(view.heads))
    read = opened_read(view, cut, exact)
    return read_rows(view, read, cut.reads.float(), float(_evaluating(view, cut)))


def _evaluating(view: BlockView, cut: Opening) -> float:
    return 2.0 * view.layer.k.shape[-1] * float((cut.closed | cut.opened).sum(-1).float().mean())


def oracle_rows(view: BlockView, k: Int[Tensor, "G B"]) -> MethodRows:
    """The best k far keys, knowing every score: all of q·k is charged."""
    far = int(view.block.far.sum())
    read = oracle_read(view, k)
    return read_rows(view, read, k.clamp_max(far).float(), float(far * view.layer.k.shape[-1]))


def page_rows(view: BlockView, k: Int[Tensor, "G B"]) -> MethodRows:
    """Whole 16-key pages chosen by min/max bounds."""
    read = page_read(view, k)
    reads = (read & view.block.far).sum(-1).float()
    pages = -(-int(view.block.far.sum()) // 16)
    return read_rows(view, read, reads, float(2 * pages * view.layer.k.shape[-1]))


def window_rows(view: BlockView) -> MethodRows:
    """Near keys only."""
    near = view.near.expand(view.logits.shape)
    return read_rows(view, near, torch.zeros(near.shape[:2]), 0.0)
