"""What reads buy where queries open for themselves in blocks, measured on calibration texts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocks import into_blocks, tables
from hsa.attention.own_opening import answer_alone
from hsa.field.curves import OwnCurves
from hsa.field.layer_field import LayerField

QUERIES = 256
"""At most so many of a causal text's last queries are measured, and no more than half of it."""


def own_curves(
    texts: Sequence[Activations], field: LayerField, plan: BlockPlan, reads: Sequence[int]
) -> OwnCurves:
    """Squared error of each head of a layer at every number of reads, averaged over texts."""
    grid = torch.tensor(sorted(reads))
    error = torch.stack([_errors(text, field, plan, grid) for text in texts]).mean(0)
    return OwnCurves(texts[0].tokens, grid, error)


def _errors(
    text: Activations, field: LayerField, plan: BlockPlan, grid: Tensor
) -> Float[Tensor, "H K"]:
    blocks = into_blocks(text.q, text.k, text.v, text.scaling, field, plan)
    groups, heads = blocks.q.shape[:2]
    begin = text.tokens - min(QUERIES, text.tokens // 2) if text.causal else 0
    found: list[Float[Tensor, "H K Q"]] = []
    for first, table in tables(blocks):
        many = table.count.shape[0]
        positions = torch.arange(first * plan.block, (first + many) * plan.block)
        measured = (positions >= begin) & (positions < text.tokens)
        if not bool(measured.any()):
            continue
        wanted = exact.output(text, exact.weights(text, positions[measured]))
        size = wanted.norm(dim=-1).clamp_min(1e-30)
        output = blocks.q.new_empty(groups, heads, positions.numel(), blocks.v.shape[-1])
        read = blocks.q.new_empty(many, groups, heads)
        errors = []
        for allowed in grid.tolist():
            spent = torch.full((groups, heads), allowed, device=output.device)
            answer_alone(blocks, first, table, spent, output, read)
            away = output.flatten(0, 1)[:, measured.to(output.device)] - wanted
            errors.append((away.norm(dim=-1) / size).square())
        found.append(torch.stack(errors, dim=1))
    return torch.cat(found, dim=-1).mean(-1).cpu()
