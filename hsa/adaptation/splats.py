"""Splats that an edit puts, rounded to what a log keeps of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

PLACE_STEPS = 16
"""Steps of a position in a splat's own root mean square spread."""

SPREAD_STEP = 1 / 8
"""Of log variance."""

MOST_STEPS = 32_000
"""Of a position: a splat that lies farther out for its spread has wider steps."""


@dataclass(frozen=True)
class Splats:
    """Splats as they stand after an edit; parents by id, -1 for a Document.

    Attributes:
        step: what positions are whole multiples of, once they are rounded.
    """

    splat_id: Int[Tensor, " M"]
    parent_id: Int[Tensor, " M"]
    position: Float[Tensor, "M D"]
    log_spread: Float[Tensor, "M D"]
    log_amplitude: Float[Tensor, " M"]
    step: Float[Tensor, " M"] | None = None

    def rounded(self) -> Splats:
        """As a log keeps them: what is judged, and what a replay brings back bit for bit."""
        spread = (self.log_spread / SPREAD_STEP).round().clamp(-127, 127) * SPREAD_STEP + 0.0
        own = self.log_spread.exp().mean(1).sqrt()
        step = torch.maximum(own / PLACE_STEPS, self.position.abs().amax(1) / MOST_STEPS)
        step = step.clamp_min(1e-6).half().float()
        # Adding nought makes of -0 what a whole number can say.
        position = step.unsqueeze(1) * (self.position / step.unsqueeze(1)).round() + 0.0
        return Splats(self.splat_id, self.parent_id, position, spread, self.log_amplitude, step)


def no_splats(dim: int) -> Splats:
    """None at all, for an edit that only removes."""
    none = torch.zeros(0, dtype=torch.long)
    return Splats(none, none, torch.zeros(0, dim), torch.zeros(0, dim), torch.zeros(0)).rounded()
