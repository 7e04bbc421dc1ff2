"""The attention function that every loaded model calls.

It asks `program.current()` what to do and answers with standard attention otherwise.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from hsa.models import program
from hsa.models.program import AttentionCall

# Names holding "flash", "sdpa" or "/" are taken for other things by transformers.
IMPLEMENTATION = "hsa"

# Arguments that change the logits or the softmax itself, beyond scaling and masking.
LOGIT_CHANGING = ("position_bias", "s_aux")


def register() -> None:
    """Make `attn_implementation="hsa"` known; repeating it changes nothing.

    Both registrations are needed: without the mask function every mask is None.
    """
    AttentionInterface.register(IMPLEMENTATION, attention)
    AttentionMaskInterface.register(IMPLEMENTATION, mask)


def mask(**request: Any) -> Tensor | None:
    """Boolean mask [B, 1, Tq, Tk], or None where causality or its absence says it all.

    The sdpa rule is exactly that, so an unpadded text of any length needs no T × T mask.
    """
    return AttentionMaskInterface()["sdpa"](**request)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **extras: Any,
) -> tuple[Tensor, None]:
    """Heads' outputs [B, Tq, H, D] under this thread's program; weights are never kept."""
    call = AttentionCall(
        module=module,
        query=query,
        key=key,
        value=value,
        mask=attention_mask,
        scaling=query.shape[-1] ** -0.5 if scaling is None else float(scaling),
        causal=bool(getattr(module, "is_causal", True) if is_causal is None else is_causal),
        dropout=dropout,
        sliding_window=sliding_window,
        softcap=softcap,
        extras=extras,
    )
    chosen = program.current() or standard
    return chosen(call), None


def standard(call: AttentionCall) -> Tensor:
    """Softmax attention over every visible key."""
    if call.softcap is not None or call.extras.get("s_aux") is not None:
        return _by_products(call)
    output, _ = AttentionInterface()["sdpa"](
        call.module,
        call.query,
        call.key,
        call.value,
        call.mask,
        dropout=call.dropout,
        scaling=call.scaling,
        is_causal=call.causal,
        position_bias=call.extras.get("position_bias"),
    )
    return output


def _by_products(call: AttentionCall) -> Tensor:
    """The plain form, for soft caps and learned sinks that fused kernels do not know."""
    group = call.query.shape[1] // call.key.shape[1]
    key = call.key.repeat_interleave(group, dim=1)
    value = call.value.repeat_interleave(group, dim=1)
    logits = call.query @ key.transpose(2, 3) * call.scaling
    if call.softcap is not None:
        logits = call.softcap * torch.tanh(logits / call.softcap)
    seen = call.mask
    if seen is None and call.causal and call.query.shape[2] > 1:
        # The lower triangle from the first key: an empty static cache has Tk > Tq here.
        seen = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
    if seen is not None and seen.dtype == torch.bool:
        logits = logits.masked_fill(~seen, torch.finfo(logits.dtype).min)
    elif seen is not None:
        logits = logits + seen
    bias = call.extras.get("position_bias")
    if bias is not None:
        logits = logits + bias
    sinks = call.extras.get("s_aux")
    if sinks is not None:
        column = sinks.reshape(1, -1, 1, 1).expand(*logits.shape[:-1], 1).to(logits.dtype)
        logits = torch.cat([logits, column], dim=-1)
    weights = torch.softmax(logits, dim=-1, dtype=torch.float32).to(call.query.dtype)
    weights = weights[..., : key.shape[2]]
    weights = nn.functional.dropout(weights, p=call.dropout, training=call.module.training)
    return (weights @ value).transpose(1, 2).contiguous()
