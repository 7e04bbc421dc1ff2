"""What is added to logits so that some keys have no say."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def only(there: Bool[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """0 where there is a key to read, -∞ where not."""
    return torch.zeros(there.shape, device=there.device).masked_fill_(~there, -torch.inf)
