"""What a model's loss pays for reading a part of the keys: HSA and its controls on one text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hsa.attention.block_plan import SINKS
from hsa.field.model_field import ModelField
from hsa.inference.agreement import (
    agreement,
    compared,
    compared_copies,
    nats,
    standard_logits,
)
from hsa.inference.guard import Guard
from hsa.inference.plan import RunPlan, blocked_shape
from hsa.models.capture import forward_logits
from hsa.models.fits import check_text
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall, running
from hsa.models.substitution import standard
from hsa.tokens import Tokens


@dataclass(frozen=True)
class Loss:
    """Mean nats per token over a text and over its second half; reads of a query there.

    `reads` is everything read per query, mean over layers, heads and all queries of the text;
    the last query may read up to what the plan says. `late_kl_nats` is the mean next-token KL
    against standard attention over the second half.
    """

    nats: float
    late_nats: float
    reads: float
    late_kl_nats: float
    top_match: float


@dataclass(frozen=True)
class Window:
    """A program whose queries read the first keys and their last ones, and nothing else."""

    last: int

    def __call__(self, call: AttentionCall) -> Tensor:
        """Standard attention over the window."""
        key = torch.arange(call.key.shape[2], device=call.key.device)
        query = key[-call.query.shape[2] :].unsqueeze(1)
        seen = (key <= query) & ((key > query - self.last) | (key < SINKS))
        return standard(replace(call, mask=seen[None, None], causal=False))


def losses(
    loaded: LoadedModel, field: ModelField, plan: RunPlan, tokens: Tokens, reads: int
) -> dict[str, Loss]:
    """Loss of standard attention, a window of the same reads, opened tokens alone, and HSA.

    Args:
        reads: everything that the plan's last query may read; the window is given as many.

    Raises:
        InputError: more tokens than model or memory hold.
    """
    count = len(tokens)
    # Those of standard attention, of the window and of the run at hand are held together.
    copies = 3 + compared_copies(count)
    check_text(loaded, count, logits=copies, blocked=blocked_shape(field, plan))
    usual = standard_logits(loaded, tokens)
    found = {"standard": _loss(usual, usual, tokens, (count + 1) / 2)}
    with running(Window(max(reads - SINKS, 1))):
        logits = forward_logits(loaded, tokens)
    seen = torch.arange(1, count + 1).clamp_max(reads).float().mean()
    found["window"] = _loss(usual, logits, tokens, float(seen))
    ways = {"hsa": plan}
    if plan.blocks is not None:
        off = replace(plan, blocks=replace(plan.blocks, closed_answer=False))
        ways = {"opened_only": off, "hsa": plan}
    for name, way in ways.items():
        run = agreement(loaded, field, way, tokens, usual, Guard(bound=1e6, checked=0))
        found[name] = Loss(
            float(run.nats.mean()), float(run.nats[count // 2 :].mean()),
            run.program.ledger.mean_reads, float(run.kl_nats[count // 2 :].mean()),
            float(run.top_match.float().mean()),
        )  # fmt: skip
    return found


def _loss(usual: Tensor, logits: Tensor, tokens: Tokens, reads: float) -> Loss:
    paid = nats(logits, tokens)
    kl, top = compared(usual, logits)
    half = len(tokens) // 2
    return Loss(
        float(paid.mean()), float(paid[half:].mean()), reads, float(kl[half:].mean()),
        float(top.float().mean()),
    )  # fmt: skip
