"""What of an attention call HSA can read: plain softmax logits, and texts padded at their ends."""

from __future__ import annotations

import torch
from torch import Tensor

from hsa.errors import ModelError
from hsa.models.program import AttentionCall
from hsa.models.substitution import LOGIT_CHANGING

QUERIES_AT_ONCE = 1024


def check_expressible(call: AttentionCall) -> None:
    """Refuse logits that no closed splat can answer for (design §6).

    Raises:
        ModelError: soft-capped logits, additive position biases or learned sinks.
    """
    changing = [name for name in LOGIT_CHANGING if call.extras.get(name) is not None]
    if call.softcap is not None:
        changing.append("softcap")
    if changing:
        raise ModelError(
            "HSA cannot read a part of the keys of this model",
            got=f"attention with {', '.join(changing)}",
            needed="softmax over scaled q·k",
            attempt="read every key (reads of at least the text's length)",
        )


def spans(call: AttentionCall, total: int) -> list[tuple[int, int]]:
    """First and end of each sequence among `total` keys; what lies outside is padding.

    Raises:
        ModelError: the mask says more than causality, or its absence, and padding at the ends.
    """
    batch = call.query.shape[0]
    if call.mask is None:
        return [(0, total)] * batch
    if call.mask.dtype != torch.bool:
        raise _unknown("a mask of numbers added to the logits")
    if call.mask.shape[1] != 1:
        raise _unknown("another mask in every head")
    rows = [_span(call.mask[row, 0], call.causal, total) for row in range(call.mask.shape[0])]
    return rows * batch if len(rows) < batch else rows


def _span(seen: Tensor, causal: bool, total: int) -> tuple[int, int]:
    """The keys that the last query sees; all others must see as much of them as they may."""
    visible = seen[-1].nonzero().flatten()
    if not visible.numel():
        raise _unknown("a query that may see nothing")
    first, end = int(visible[0]), int(visible[-1]) + 1
    key = torch.arange(seen.shape[1], device=seen.device)
    inside = (key >= first) & (key < end)
    before = total - seen.shape[0]
    for start in range(0, seen.shape[0], QUERIES_AT_ONCE):
        part = seen[start : start + QUERIES_AT_ONCE]
        query = torch.arange(before + start, before + start + part.shape[0], device=seen.device)
        wanted = inside & (~torch.tensor(causal) | (key <= query.unsqueeze(1)))
        real = (query >= first) & (query < end)
        # A query of padding sees nothing beyond the text, or everything in place of nothing.
        idle = ~(part & ~inside).any(1) | part.all(1)
        wrong = torch.where(real, (part != wanted).any(1), ~idle)
        if bool(wrong.any()):
            at = start + int(wrong.nonzero()[0])
            raise _unknown(f"keys hidden from or shown to query {at} against the order of its text")
    if before > 0 and end < total:
        raise _unknown("new tokens that do not see themselves")
    return first, end


def _unknown(got: str) -> ModelError:
    return ModelError(
        "This attention mask cannot be read by HSA",
        got=got,
        needed="causal or bidirectional attention with padding at the ends",
        attempt="pad on the left to generate, or read every key",
    )
