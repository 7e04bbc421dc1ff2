"""What a change of one head does to the output of its layer's attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.models.loaded import LoadedModel
from hsa.models.output_projection import output_projection

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class LayerChange:
    """‖o' - o‖ / ‖o‖ of a layer's attention output, the other heads under standard attention.

    Attributes:
        by_row: of each query; `total` of all rows together.
        through: name of the output projection that the heads went through, or "heads side by
            side" where the model does not hold it beside its attention.
    """

    by_row: Float[Tensor, " T"]
    total: float
    through: str


def standard_heads(given: Activations) -> Float[Tensor, "T H V"]:
    """Every head's output under standard attention, a few rows of one head at a time."""
    heads, tokens = given.q.shape[:2]
    output = torch.empty(tokens, heads, given.v.shape[-1])
    positions = torch.arange(tokens)
    for head in range(heads):
        one = given.head(head)
        for rows in positions.split(ROWS_AT_ONCE):
            output[rows, head] = exact.output(one, exact.weights(one, rows))[0].cpu()
    return output


def layer_change(
    loaded: LoadedModel,
    layer: int,
    heads: Float[Tensor, "T H V"],
    head: int,
    before: Float[Tensor, "T V"],
    after: Float[Tensor, "T V"],
) -> LayerChange:
    """The layer with one head as it was before, against the layer with it as it is after."""
    first, then = heads.clone(), heads.clone()
    first[:, head], then[:, head] = before, after
    projection = output_projection(loaded.attention_modules[layer])
    through = "heads side by side"
    one, other = first.flatten(1), then.flatten(1)
    if projection is not None:
        through, module = projection
        like = next(module.parameters())
        with torch.no_grad():
            one, other = (module(of.to(like)).float().cpu() for of in (one, other))
    away, length = (other - one).double(), one.double()
    return LayerChange(
        by_row=away.norm(dim=1) / length.norm(dim=1).clamp_min(1e-30),
        total=float(away.norm() / length.norm().clamp_min(1e-30)),
        through=through,
    )
