"""Splats that stay who they are and stand elsewhere: the bulk of a log, so as coarse as may be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor

from hsa.field.splat_field import SplatField

PLACE_STEP = 0.4
"""Of a splat's root mean square spread: nearer than half of it a splat is not moved."""

WIDTH_STEP = 0.4
"""Of log variance; the variance of thirty keys is known to a fourth."""

SHARE_STEP = 0.25
"""Of log prior share."""


@dataclass(frozen=True)
class Moves:
    """Codes times steps, added to what stands: `step · code` to positions, `width_step · widened`
    to log spreads, `share_step · weighed + evened` to log amplitudes.

    What is judged is the rounded move. What it leaves over, the next one sees again.
    """

    splat_id: Int[Tensor, " M"]
    code: Int8[Tensor, "M D"]
    step: Float[Tensor, " M"]
    widened: Int8[Tensor, "M D"]
    width_step: float
    weighed: Int8[Tensor, " M"]
    share_step: float
    evened: float

    def applied(self, field: SplatField, row: Int[Tensor, " M"]) -> SplatField:
        """The field with the moved splats, which stand in these rows."""
        position, log_spread = field.position.clone(), field.log_spread.clone()
        log_amplitude = field.log_amplitude.clone()
        position[row] += self.step.unsqueeze(1) * self.code
        log_spread[row] += self.width_step * self.widened
        log_amplitude[row] += self.share_step * self.weighed
        log_amplitude[row] += self.evened
        return replace(field, position=position, log_spread=log_spread, log_amplitude=log_amplitude)


def moves(
    field: SplatField, row: Int[Tensor, " M"], away: Float[Tensor, "M D"],
    wider: Float[Tensor, "M D"], heavier: Float[Tensor, " M"], rate: float,
) -> Moves:  # fmt: skip
    """The nearest moves by a share, `rate`, of what would bring positions, log spreads and log
    amplitudes where they are wanted; of the splats together the prior mass stays.
    """
    own = field.log_spread[row].exp().mean(1).sqrt()
    weighed = _coded(heavier, torch.tensor(SHARE_STEP))
    share = field.log_amplitude[row].exp()
    mass = (share * (rate * SHARE_STEP * weighed).exp()).sum()
    step = PLACE_STEP * own
    return Moves(
        splat_id=field.splat_id[row],
        code=_coded(away, step.unsqueeze(1)),
        step=(rate * step).half().float(),
        widened=_coded(wider, torch.tensor(WIDTH_STEP)),
        width_step=rate * WIDTH_STEP,
        weighed=weighed,
        share_step=rate * SHARE_STEP,
        evened=float((share.sum() / mass).log()),
    )


def _coded(change: Tensor, step: Tensor) -> Tensor:
    return (change / step).round().clamp(-127, 127).to(torch.int8)
