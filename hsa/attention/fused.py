"""torch's fused attention in parts, merged by their log-sum-exps: no logits are written.

At a block's sizes, 384 queries and 256 to 900 keys on one core, it took 0.5 to 0.8 of the time of
plain products. It hands out no gradient of the log-sum-exp, so those who need gradients go the
plain way.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Part = tuple[Float[Tensor, "B G n V"], Float[Tensor, "B G n"]]
"""Outputs, and the log of the sum of the weights behind each."""


def fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Part:
    """Attention of q [B, G, n, D] on k, v [B, G, m, D], logits q·k + mask."""
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, False, attn_mask=mask, scale=1.0
    )


def where_any(part: Part, there: Bool[Tensor, "B G m"]) -> Part:
    """A fused call that may read nothing answers 0, with a log-sum-exp of 0 in place of -∞."""
    output, log = part
    return output, log.masked_fill(~there.any(-1, keepdim=True), -torch.inf)


def merged(parts: Sequence[Part]) -> Float[Tensor, "B G n V"]:
    """The parts' outputs, weighted by what is behind them."""
    weight = torch.stack([log for _, log in parts]).softmax(0).unsqueeze(-1)
    output = parts[0][0] * weight[0]
    for (part, _), share in zip(parts[1:], weight[1:], strict=True):
        output.addcmul_(part, share)
    return output
