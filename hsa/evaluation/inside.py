"""How far HSA as a model runs it is from exact attention, layer by layer and head by head.

Every layer is given standard attention's own q, k and v, so that no layer pays for the errors of
those before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.blocked import BlockedResult, blocked_attention
from hsa.errors import InputError
from hsa.evaluation.blocked_error import near_keys, sampled_queries
from hsa.field.model_field import ModelField
from hsa.inference.plan import RunPlan
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens


@dataclass(frozen=True)
class InsideErrors:
    """Mean over queries of the second half of ‖ô - o‖ / ‖o‖; reads of each head's last query.

    `opened_only` reads what HSA reads, its closed splats dropped; `window` the near keys alone.
    """

    hsa: Float[Tensor, "L H"]
    opened_only: Float[Tensor, "L H"]
    window: Float[Tensor, "L H"]
    reads: Float[Tensor, "L H"]


def inside_errors(
    loaded: LoadedModel,
    field: ModelField,
    plan: RunPlan,
    tokens: Tokens,
    told: Callable[[str], None] = lambda _: None,
) -> InsideErrors:
    """Measure every head under a plan.

    Raises:
        InputError: a plan that reads every key, or a model that does not read one way.
    """
    if plan.blocks is None or not loaded.causal:
        raise InputError(
            "There is nothing to measure",
            got="a plan that reads every key" if loaded.causal else "a model that reads both ways",
            needed="a causal model under a plan that reads a part of the keys",
        )
    rows: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def measure(layer: int, given: Activations) -> None:
        told(f"layer {layer}")
        rows.append(_layer_errors(given, field, plan, layer))

    capture(loaded, tokens, consumer=measure)
    return InsideErrors(*(torch.stack(columns) for columns in zip(*rows, strict=True)))


def _layer_errors(
    given: Activations, field: ModelField, plan: RunPlan, layer: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    blocks, tokens = plan.blocks, given.tokens
    assert blocks is not None
    own = plan.own[layer]

    def run(closed_answer: bool) -> BlockedResult:
        sizes = replace(blocks, closed_answer=closed_answer)
        return blocked_attention(
            given.q, given.k, given.v, given.scaling, field.layer(layer), sizes, own
        )

    queries = sampled_queries(tokens)
    logits = exact.logits(given, queries)
    wanted = exact.output(given, logits.softmax(-1))
    size = wanted.norm(dim=-1).clamp_min(1e-30)
    near = near_keys(queries, tokens, blocks)
    window = exact.output(given, logits.masked_fill(~near, -torch.inf).softmax(-1))
    result = run(True)
    outputs = (result.output, run(False).output)
    found = [output.flatten(0, 1)[:, queries] for output in outputs] + [window]
    errors = [((output - wanted).norm(dim=-1) / size).mean(-1) for output in found]
    shares = torch.tensor(own).view(result.reads.shape[1:]) == 0
    far = result.reads[-1] + result.choosing[-1].unsqueeze(1) * shares
    last = torch.tensor([tokens - 1])
    reads = far.flatten() + int(blocks.near_read(last, tokens))
    if plan.exact is not None:
        stays = plan.exact[layer]
        errors[:2] = [error.masked_fill(stays, 0.0) for error in errors[:2]]
        reads = reads.masked_fill(stays, float(tokens))
    return errors[0], errors[1], errors[2], reads
