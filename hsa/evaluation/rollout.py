"""Attention flow over layers: attention rollout (Abnar and Zuidema 2020, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.errors import InputError
from hsa.models.cache import Progress
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens

MOST_TOKENS = 512
RESIDUAL = 0.5
"""What a layer keeps of each position in place of what its attention brings."""

CAVEAT = (
    "Attention flow multiplies the heads' mean weights, half of each layer given to the residual "
    "stream. It knows neither values, nor what heads do apart, nor the MLPs between the layers: it "
    "says along which paths a position could have been reached, and is no explanation of the model."
)


@dataclass(frozen=True)
class Rollout:
    """Products of ½ A + ½ I over the first layers, A the mean of a layer's heads.

    Attributes:
        depths: layers that went into each product, rising; the last may be all of them.
        flow: from position (row) to token (column) for each of the depths; rows sum to one.
    """

    depths: tuple[int, ...]
    flow: Float[Tensor, "N T T"]


def usual_depths(layers: int) -> tuple[int, ...]:
    """A quarter of the layers, a half, and all of them."""
    return tuple(dict.fromkeys(max(1, round(layers * part)) for part in (0.25, 0.5, 1)))


def rollout(
    loaded: LoadedModel,
    tokens: Tokens,
    depths: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Rollout:
    """Attention flow of a text, for every position at once; one layer in memory at a time.

    R_l = (½ A_l + ½ I) R_(l-1), from R_0 = I, in float64.

    Args:
        depths: after how many layers to look; a quarter, a half and all when None.

    Raises:
        InputError: a text too long, or depths that the model does not have.
    """
    depths = usual_depths(loaded.layers) if depths is None else tuple(sorted(set(depths)))
    if not depths or depths[0] < 1 or depths[-1] > loaded.layers:
        raise InputError(
            f"{loaded.title} has no such depth",
            got=", ".join(map(str, depths)) or "none",
            needed=f"1 to {loaded.layers} layers",
        )
    if len(tokens) > MOST_TOKENS:
        raise InputError(
            "Attention flow is worked out for shorter texts",
            got=f"{len(tokens):,} tokens", needed=f"at most {MOST_TOKENS}",
            attempt="a shorter text",
        )  # fmt: skip
    product = torch.eye(len(tokens), dtype=torch.float64)
    found: list[Tensor] = []

    def take(layer: int, given: Activations) -> None:
        nonlocal product
        if progress is not None:
            progress(f"Attention flow: layer {layer + 1} of {depths[-1]}", layer / depths[-1])
        mean = mean_weights(given).cpu()
        product = (1 - RESIDUAL) * (mean @ product) + RESIDUAL * product
        if layer + 1 in depths:
            found.append(product.float())

    capture(loaded, tokens, range(depths[-1]), take)
    return Rollout(depths, torch.stack(found))


def mean_weights(activations: Activations) -> Float[Tensor, "T T"]:
    """The mean over a layer's heads of standard attention, one head in memory at a time."""
    heads = activations.q.shape[0]
    total = exact.weights(activations.head(0))[0].double()
    for head in range(1, heads):
        total += exact.weights(activations.head(head))[0]
    return total / heads
