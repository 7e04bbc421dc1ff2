"""What a head would say if one splat were closed, removed or replaced (design §7).

The same formulas run again on another cut. **Closed**: in every row the splat answers for its far
keys at once. **Replaced**: in every row its far keys are read as tokens, as standard attention
reads them. For both, a splat that stands closed above it is opened down to it, its other children
closed, so that the two differ in the answer of this splat alone. **Removed**: its keys, near and
far, get no weight, and the rest of the row is renormalised; a row all of whose keys would go
keeps its own token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.attention.opening import Opening
from hsa.attention.reference import Answer, answer, closed_shares
from hsa.attention.result import BlockCut, HSAResult
from hsa.attention.views import BlockView, FramedLayer, block_views
from hsa.errors import InputError
from hsa.explanation.forced_cut import forced, keys_of_node
from hsa.field.by_id import node_of_row, splat_row

What = Literal["closed", "removed", "replaced"]
WHATS: tuple[What, ...] = get_args(What)

MEANS: dict[What, str] = {
    "closed": "in every row the splat answers for all of its far keys at once",
    "removed": "its keys get no weight, and the rest of each row is renormalised",
    "replaced": "its far keys are read as tokens in every row, as standard attention reads them",
}


@dataclass(frozen=True)
class Alternative:
    """The head's output in one of the cases, beside what it is.

    Attributes:
        change: ‖o' - ô‖ / ‖ô‖ of each row, ô what HSA says as it is.
        error: ‖o' - o‖ / ‖o‖ of each row, o what standard attention says.
        total_change, total_error: the same of all rows together (Frobenius norms).
        rows_changed: rows in which the cut or a weight is another.
    """

    what: What
    output: Float[Tensor, "Q V"]
    change: Float[Tensor, " Q"]
    error: Float[Tensor, " Q"]
    total_change: float
    total_error: float
    rows_changed: int


@dataclass(frozen=True)
class Counterfactual:
    """One splat of one head, closed, removed and replaced, over T queries.

    Attributes:
        hsa_output, standard_output: the head's output as it is in either attention.
        hsa_error: ‖ô - o‖ / ‖o‖ of each row; `total_hsa_error` of all rows together.
        removed_from_standard: standard attention's output without the splat's keys.
        standard_change: ‖o' - o‖ / ‖o‖ of each row of that; `total_standard_change` of all.
        own_token_rows: rows that the removal left with their own token alone.
    """

    splat_id: int
    hsa_output: Float[Tensor, "Q V"]
    standard_output: Float[Tensor, "Q V"]
    hsa_error: Float[Tensor, " Q"]
    total_hsa_error: float
    alternatives: tuple[Alternative, ...]
    removed_from_standard: Float[Tensor, "Q V"]
    standard_change: Float[Tensor, " Q"]
    total_standard_change: float
    own_token_rows: int

    def of(self, what: What) -> Alternative:
        """One of the cases."""
        return self.alternatives[WHATS.index(what)]


def counterfactual(result: HSAResult, layer: FramedLayer, splat_id: int) -> Counterfactual:
    """Run one head again with the splat closed, removed and replaced.

    Args:
        result: HSA of every query of one head.
        layer: what `result` was computed from, by `into_layer`: this head alone.

    Raises:
        FieldError: no splat of this head has that id.
        InputError: more than one head, or a result of some queries only.
    """
    if layer.q.shape[:2] != (1, 1) or result.queries.numel() != layer.k.shape[1]:
        raise InputError(
            "A counterfactual is of one head and all of its queries",
            got=f"{layer.q.shape[0] * layer.q.shape[1]} heads, {result.queries.numel()} of "
            f"{layer.k.shape[1]} queries",
            needed="one head, its key/value head, and every query",
        )
    node = node_of_row(layer.tree, 0, splat_row(layer.field, 0, splat_id))
    rows = result.queries.numel()
    output = {name: layer.v.new_zeros(rows, layer.v.shape[-1]) for name in _OUTPUTS}
    changed = dict.fromkeys(WHATS, 0)
    alone = 0
    for view, block in _blocks(result, layer):
        found = _block(view, block, node)
        for name in _OUTPUTS:
            output[name][block.queries] = found.output[name]
        for what in WHATS:
            changed[what] += int(found.changed[what].sum())
        alone += int(found.alone.sum())
    hsa, standard = output["hsa"], output["standard"]
    by_row, total = _apart(hsa, standard)
    change, total_change = _apart(output["removed from standard"], standard)
    return Counterfactual(
        splat_id=splat_id,
        hsa_output=hsa.cpu(),
        standard_output=standard.cpu(),
        hsa_error=by_row,
        total_hsa_error=total,
        alternatives=tuple(
            _alternative(what, output[what], hsa, standard, changed[what]) for what in WHATS
        ),
        removed_from_standard=output["removed from standard"].cpu(),
        standard_change=change,
        total_standard_change=total_change,
        own_token_rows=alone,
    )


_OUTPUTS = ("hsa", "standard", *WHATS, "removed from standard")


@dataclass(frozen=True)
class _Block:
    """Outputs of a block's rows, which of them changed, and which keep their own token alone."""

    output: dict[str, Float[Tensor, "B V"]]
    changed: dict[What, Bool[Tensor, " B"]]
    alone: Bool[Tensor, " B"]


def _blocks(result: HSAResult, layer: FramedLayer) -> Iterator[tuple[BlockView, BlockCut]]:
    views = block_views(layer, result.queries, crossed=False)
    for view, block in zip(views, result.blocks, strict=True):
        assert torch.equal(view.block.queries, block.queries), "result of another layer"
        yield view, block


def _block(view: BlockView, block: BlockCut, node: int | None) -> _Block:
    layer = view.layer
    opening = Opening(*(
        rows.flatten(1, 2) for rows in (block.closed, block.opened, block.reads, block.raised)
    ))  # fmt: skip
    exact = block.exact.flatten(1, 2)
    usual = _answered(view, opening, exact)
    visible = view.near | view.block.far
    standard = view.logits.masked_fill(~visible, -torch.inf).softmax(-1)
    output = {"hsa": usual.output[0], "standard": (standard @ layer.v)[0]}
    none = torch.zeros(exact.shape[1], dtype=torch.bool, device=exact.device)
    if node is None:
        output |= dict.fromkeys(WHATS, output["hsa"])
        output["removed from standard"] = output["standard"]
        return _Block(output, dict.fromkeys(WHATS, none), none)
    changed: dict[What, Tensor] = {}
    for what in ("closed", "replaced"):
        cut, reads_all = forced(view, opening, exact, node, closed=what == "closed")
        differs = (cut.closed != opening.closed).any(-1) | (reads_all != exact).any(0)
        differs |= (cut.opened != opening.opened).any(-1)
        changed[what] = differs[0]
        given = _answered(view, cut, reads_all).output[0]
        # What did not change keeps its bits.
        output[what] = torch.where(differs[0].unsqueeze(1), given, usual.output[0])
    gone = keys_of_node(view, node)
    own = torch.arange(gone.numel(), device=gone.device) == view.block.queries.unsqueeze(1)
    alone = ~(visible & ~gone).any(-1)
    for name, weight in (("removed", _weights(view, opening, exact, usual)),
                         ("removed from standard", standard)):  # fmt: skip
        left = without(weight[0], gone, alone, own)
        touched = (visible & gone).any(-1)
        kept = output["hsa" if name == "removed" else "standard"]
        output[name] = torch.where(touched.unsqueeze(1), left @ layer.v[0], kept)
    changed["removed"] = (visible & gone).any(-1)
    return _Block(output, changed, alone)


def without(
    weight: Float[Tensor, "Q T"],
    gone: Bool[Tensor, " T"],
    alone: Bool[Tensor, " Q"],
    own: Bool[Tensor, "Q T"],
) -> Float[Tensor, "Q T"]:
    """Rows of weights with some keys gone and the rest renormalised.

    Args:
        alone: rows of which nothing would be left; `own` is the one key that those keep.
    """
    left = weight.double().masked_fill(gone, 0.0)
    total = left.sum(-1, keepdim=True)
    shares = left / torch.where(total == 0, 1.0, total)
    return torch.where(alone.unsqueeze(1), own.double(), shares).to(weight.dtype)


def _answered(view: BlockView, opening: Opening, exact: Bool[Tensor, "1 B"]) -> Answer:
    field = view.layer.field
    return answer(view, opening, exact, field.temper, field.tilt, by_tokens=True)


def _weights(
    view: BlockView, opening: Opening, exact: Bool[Tensor, "1 B"], given: Answer
) -> Float[Tensor, "1 B T"]:
    """A_ij of design §6."""
    log_z = given.log_z.unsqueeze(-1)
    tokens = (view.logits.masked_fill(~given.read, -torch.inf) - log_z).exp()
    return tokens + closed_shares(view, (given.log_mass - log_z).exp(), given.tilt)


def _alternative(
    what: What, output: Tensor, hsa: Tensor, standard: Tensor, rows: int
) -> Alternative:
    change, total_change = _apart(output, hsa)
    error, total_error = _apart(output, standard)
    return Alternative(what, output.cpu(), change, error, total_change, total_error, rows)


def _apart(given: Float[Tensor, "Q V"], from_: Float[Tensor, "Q V"]) -> tuple[Tensor, float]:
    """‖given - from‖ / ‖from‖ of each row, and of all together."""
    away, length = (given - from_).double(), from_.double()
    rows = away.norm(dim=1) / length.norm(dim=1).clamp_min(1e-30)
    return rows.cpu(), float(away.norm() / length.norm().clamp_min(1e-30))
