"""Standard softmax attention: the yardstick."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations


def logits(
    activations: Activations, queries: Int[Tensor, " Q"] | None = None
) -> Float[Tensor, "H Q T"]:
    """Scaling · q·k, -inf where a query may not look; float32."""
    k = activations.k.float()
    q = activations.q.float()
    tokens = k.shape[1]
    if queries is None:
        queries = torch.arange(tokens, device=k.device)
    q = q[:, queries]
    grouped = q.reshape(k.shape[0], -1, *q.shape[1:])
    scores = activations.scaling * (grouped @ k.unsqueeze(1).mT)
    return scores.masked_fill(~activations.visible(queries), -torch.inf).flatten(0, 1)


def weights(
    activations: Activations, queries: Int[Tensor, " Q"] | None = None
) -> Float[Tensor, "H Q T"]:
    """A_ij = softmax_j(scaling · q_i·k_j)."""
    return logits(activations, queries).softmax(-1)


def output(activations: Activations, weight: Float[Tensor, "H Q T"]) -> Float[Tensor, "H Q V"]:
    """o_i = Σ_j A_ij v_j for any weights of this layer's heads."""
    v = activations.v.float()
    grouped = weight.reshape(v.shape[0], -1, *weight.shape[1:])
    return (grouped @ v.unsqueeze(1)).flatten(0, 1)
