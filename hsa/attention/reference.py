"""HSA written to be read: the definition of design §3-6, batched over heads and queries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.fits import check_rows
from hsa.attention.near import NearKeys
from hsa.attention.opening import Opening, Openings, StopRule, open_splats
from hsa.attention.result import BlockCut, HSAResult
from hsa.attention.spending import Spending
from hsa.attention.tails import saturated
from hsa.attention.views import BlockView, block_views, into_layer, phrase_log_mass
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE, SECTION
from hsa.field.tree import PromptTree

NEGATIVE_MASS_LIMIT = 0.02
"""Beyond this share of negative mass a row's tilt is switched off (design §5)."""

SUSPECTED = 0.5
"""The least temper with which a splat is considered for opening.

Some levels answer best with a temper of 0, as if all keys lay at the mean. Believed here, such a
splat of 907 keys stayed closed with a mass of e^-17 where one key held nearly all of the row
(layer 7, head 7 of SmolLM2).
"""


def openings(
    view: BlockView, budget: Int[Tensor, "G B"], limits: Float[Tensor, "K G R"] | None = None
) -> Openings:
    """Open best first; `limits` are output errors per query head at which a query may stop."""
    rows = view.block.queries.numel()
    reading = view.opening.cost.clamp_min(1).log().unsqueeze(1)
    stop = None
    if limits is not None:
        stop = StopRule(
            log_error=view.log_error(1.0),
            log_mass=view.gaussian + 0.5 * view.spread,
            log_read=phrase_log_mass(view),
            log_near=view.logits.masked_fill(~view.near, -torch.inf).logsumexp(-1),
            limits=limits.repeat_interleave(rows, dim=-1),
        )
    priority = view.log_error(view.layer.field.temper.clamp_min(SUSPECTED)) - reading
    return open_splats(view.opening, priority, budget, stop)


def choose_cut(
    view: BlockView, reads: Int[Tensor, "G R"], stop_error: Float[Tensor, "G R"] | None = None
) -> tuple[Opening, Bool[Tensor, "G B"]]:
    """The cut of every row, and which rows read all their far keys instead (no splat).

    Args:
        reads: per query head; with `stop_error` the most that a query may read.
    """
    rows = view.block.queries.numel()
    budget = reads.repeat_interleave(rows, dim=1)
    far = int(view.block.far.sum())
    exact = budget >= far if stop_error is None else torch.zeros_like(budget, dtype=torch.bool)
    limits = None if stop_error is None else stop_error.unsqueeze(0)
    opened = openings(view, budget.masked_fill(exact, 0), limits)
    until = budget if stop_error is None else torch.minimum(opened.stopped_at[0], budget)
    return opened.until(until).reading_all(exact, far), exact


@dataclass(frozen=True)
class Answer:
    """Weights and output of a block's rows under a given cut."""

    read: Bool[Tensor, "G B T"]
    log_mass: Float[Tensor, "G B C"]
    log_z: Float[Tensor, "G B"]
    tilt: Float[Tensor, "G B C"]
    output: Float[Tensor, "G B V"]


def answer(
    view: BlockView,
    opening: Opening,
    exact: Bool[Tensor, "G B"],
    temper: Float[Tensor, "G R 3"],
    tilt: Float[Tensor, "G R 3"],
    by_tokens: bool = False,
) -> Answer:
    """Z, closed answers and output (design §5-6) of the rows of one block.

    Args:
        by_tokens: take closed splats' values as Σ_j A_ij v_j, what their keys would be given, in
            place of m̂ (v̄ + θ C y). Equal but for rounding; needs no covariance, so it is cheaper
            for few queries, and a view may come without.
    """
    tree = view.layer.tree
    opened_key = _of_phrase(opening.opened, tree)
    read = view.near | (view.block.far & (opened_key | exact.unsqueeze(-1)))
    log_mass = view.log_mass(temper).masked_fill(~opening.closed, -torch.inf)
    logits = view.logits.masked_fill(~read, -torch.inf)
    log_z = torch.logaddexp(logits.logsumexp(-1), log_mass.logsumexp(-1))
    mass = (log_mass - log_z.unsqueeze(-1)).exp()
    theta = saturated(view.per_row(tilt), view.spread)
    theta = theta.masked_fill(~opening.closed, 0.0)
    flat = leaning = torch.zeros(())
    if by_tokens or bool((theta != 0).any()):
        flat, leaning = _shares(view, mass, theta)
        excess = -(flat + leaning).clamp_max(0).sum(-1, keepdim=True) > NEGATIVE_MASS_LIMIT
        theta, leaning = theta.masked_fill(excess, 0.0), leaning.masked_fill(excess, 0.0)
    weights = (logits - log_z.unsqueeze(-1)).exp()
    if by_tokens:
        output = (weights + flat + leaning) @ view.layer.v
    else:
        tilted = view.moments.covariance_times(mass * theta, view.y)
        output = weights @ view.layer.v + mass @ view.moments.value + tilted
    return Answer(read, log_mass, log_z, theta, output)


def closed_shares(
    view: BlockView, mass: Float[Tensor, "G B C"], theta: Float[Tensor, "G B C"]
) -> Float[Tensor, "G B T"]:
    """A_ij of the far tokens below closed splats: m_s (1 + θ_s·y·(x_j - x̄_s)) / (n_s Z)."""
    flat, leaning = _shares(view, mass, theta)
    return flat + leaning


def _shares(
    view: BlockView, mass: Float[Tensor, "G B C"], theta: Float[Tensor, "G B C"]
) -> tuple[Float[Tensor, "G B T"], Float[Tensor, "G B T"]]:
    """m_s / (n_s Z) of the far tokens below closed splats, and what the tilt adds to it."""
    share = mass / view.moments.count.clamp_min(1).unsqueeze(1)
    slope = share * theta
    centre = slope * (view.y @ view.moments.mean.mT)
    below = torch.cat([share, slope, centre], dim=1).mT.contiguous()
    tree = view.layer.tree
    for level in (SECTION, PHRASE):  # What closed ancestors give comes down to the Phrases.
        above = torch.stack([of[at] for of, at in zip(below, tree.parent, strict=True)])
        # A root has nothing above it; with levels switched off it may be of any level.
        without = (tree.level != level) | (tree.parent < 0)
        below += above.masked_fill(without.unsqueeze(-1), 0.0)
    # All rows of a group look up the same node of a token: copied as one.
    phrase = tree.key_node[:, :, PHRASE]
    of_token = torch.stack([of[at] for of, at in zip(below, phrase, strict=True)])
    of_token[:, ~view.block.far] = 0.0
    flat, slope, centre = of_token.mT.chunk(3, dim=1)
    return flat, slope * (view.layer.x @ view.y.mT).mT - centre


def _of_phrase(of_node: Bool[Tensor, "G B C"], tree: PromptTree) -> Bool[Tensor, "G B T"]:
    phrase = tree.key_node[:, :, PHRASE].unsqueeze(1)
    return of_node.gather(2, phrase.expand(-1, of_node.shape[1], -1))


def attend(
    activations: Activations,
    field: LayerField,
    spending: Spending,
    queries: Int[Tensor, " Q"] | None = None,
    near: NearKeys | None = None,
) -> HSAResult:
    """HSA attention of a layer for the queries asked for (all, unless told otherwise).

    Args:
        field: the layer's field, or `field.group(...)` with matching activations for one head.
        spending: reads per query head, and the error at which a query stops, if any.

    Raises:
        InputError: a layer that this field cannot read, or more rows than memory holds.
    """
    layer = into_layer(activations, field, near)
    tokens = activations.k.shape[1]
    if queries is None:
        queries = torch.arange(tokens, device=activations.k.device)
    check_rows(layer, queries.numel())
    heads = layer.y.shape[1]
    output = layer.v.new_zeros(layer.v.shape[0], heads, tokens, layer.v.shape[-1])
    cuts = []
    for view in block_views(layer, queries):
        opening, exact = choose_cut(view, *spending.per_group(heads))
        given = answer(view, opening, exact, field.temper, field.tilt)
        where = view.block.queries
        output[:, :, where] = given.output.unflatten(1, (heads, -1))
        cuts.append(block_cut(view, opening, exact, given))
    return HSAResult(
        layer=activations.layer,
        near=layer.near,
        causal=activations.causal,
        tree=layer.tree,
        queries=queries,
        output=output.flatten(0, 1)[:, queries],
        blocks=tuple(cuts),
    )


def block_cut(
    view: BlockView, opening: Opening, exact: Bool[Tensor, "G B"], given: Answer
) -> BlockCut:
    """What a block's rows did, without the tokens that they read."""

    def rows(tensor: Tensor) -> Tensor:
        return tensor.unflatten(1, (view.heads, -1))

    return BlockCut(
        queries=view.block.queries,
        far=view.block.far,
        count=view.moments.count,
        mean=view.moments.mean,
        closed=rows(opening.closed),
        opened=rows(opening.opened),
        log_mass=rows(given.log_mass),
        tilt=rows(given.tilt),
        log_z=rows(given.log_z),
        reads=rows(opening.reads),
        near_count=view.near[: view.block.queries.numel()].sum(1),
        raised=rows(opening.raised),
        exact=rows(exact),
    )
