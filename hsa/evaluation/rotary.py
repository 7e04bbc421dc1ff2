"""Rotary position embedding, undone and done again at other positions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.errors import ModelError
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens

REPEATS = 8
TOLERANCE = 1e-3
"""Share of a key's length by which equal tokens may differ once the rotation is undone."""


@dataclass(frozen=True)
class Rotary:
    """Llama's rotation: dimensions i and i + D/2 turn by position · frequency_i.

    Attributes:
        frequency: radians per token.
        length: factor on the rotated vectors, 1 in most models.
    """

    frequency: Float[Tensor, " D/2"]
    length: float = 1.0

    def rotate(
        self, x: Float[Tensor, "... T D"], positions: Int[Tensor, " T"]
    ) -> Float[Tensor, "... T D"]:
        """What the model makes of q or k at these positions."""
        return self.length * self._turned(x, positions, 1.0)

    def unrotate(
        self, x: Float[Tensor, "... T D"], positions: Int[Tensor, " T"]
    ) -> Float[Tensor, "... T D"]:
        """What q or k were before the rotation."""
        return self._turned(x, positions, -1.0) / self.length

    def moved(
        self, x: Float[Tensor, "... T D"], old: Int[Tensor, " T"], new: Int[Tensor, " T"]
    ) -> Float[Tensor, "... T D"]:
        """Rotated q or k as they would be at other positions."""
        return x if torch.equal(old, new) else self.rotate(self.unrotate(x, old), new)

    def _turned(self, x: Tensor, positions: Tensor, direction: float) -> Tensor:
        # In float32 like the model itself, so that its own rounding is undone with the rest.
        angle = positions.float().unsqueeze(1) * self.frequency
        cos, sin = angle.cos(), direction * angle.sin()
        low, high = x.float().chunk(2, dim=-1)
        return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1).to(x.dtype)


def rotary_of(loaded: LoadedModel) -> Rotary:
    """The rotation that a model's own module holds, verified on its first layer.

    There a key depends on its token and position alone, so that equal tokens are equal once
    the rotation is undone; in a model that rotates otherwise they are not.

    Raises:
        ModelError: the model has no rotary embedding of this kind.
    """
    module = getattr(loaded.model.base_model, "rotary_emb", None)
    frequency = getattr(module, "inv_freq", None)
    kind = getattr(module, "rope_type", "none")
    if frequency is None or 2 * len(frequency) != loaded.head_dim:
        raise _unlike(loaded, f"rotary embedding of kind {kind!r}")
    if "dynamic" in kind or kind == "longrope":
        raise _unlike(loaded, f"frequencies that change with the text's length ({kind})")
    rotary = Rotary(frequency.float(), float(getattr(module, "attention_scaling", 1.0)))
    token = loaded.tokenize("one").ids[-1]
    same = Tokens((token,) * REPEATS, ("",) * REPEATS, (False,) * REPEATS, (None,) * REPEATS)
    positions = torch.arange(REPEATS, device=frequency.device)
    key = rotary.unrotate(capture(loaded, same, [0])[0].k, positions).float()
    apart = (key - key[:, :1]).norm(dim=-1).amax() / key.norm(dim=-1).amin()
    if float(apart) > TOLERANCE:
        raise _unlike(loaded, "another rotation than Llama's")
    return rotary


def _unlike(loaded: LoadedModel, got: str) -> ModelError:
    return ModelError(
        f"The keys of {loaded.title} cannot be moved to other positions",
        got=got,
        needed="Llama's rotary embedding of all dimensions, with fixed frequencies",
        attempt=f"use 'smollm2', or measure up to {loaded.max_tokens} tokens",
    )
