"""Splats in eight bits: positions and log-spreads as int8, with a step of its own per dimension.

Keys spread far more along some dimensions of the frame than along others, so one step for all
of them is six times as coarse; one step per splat, three times. Steps per level and dimension
gain two per cent over steps per dimension (position error 0.49% against 0.50%, relative to the
positions' spread, over the 90 heads of SmolLM2's shipped field).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from hsa.errors import FieldError
from hsa.field.splat_field import SplatField

MOST = 127
"""Codes run from -127 to 127, so that a dimension's least and greatest values are both exact."""


@dataclass(frozen=True)
class Quantised:
    """Rows of numbers as codes: value = middle + step · code, in each dimension."""

    code: Int8[Tensor, "N D"]
    middle: Float[Tensor, " D"]
    step: Float[Tensor, " D"]


def quantise(values: Float[Tensor, "N D"]) -> Quantised:
    """The nearest of 255 evenly spaced values between each dimension's least and greatest.

    Raises:
        FieldError: a value is infinite or no number, so that no step would do.
    """
    if not bool(values.isfinite().all()):
        raise FieldError(
            "The field is not sound",
            got="a position or spread that is infinite or no number",
            needed="finite numbers",
            attempt="fit the field again",
        )
    least, greatest = values.amin(0), values.amax(0)
    middle = 0.5 * (least + greatest)
    # A dimension in which all rows agree has codes of zero, whatever its step.
    step = ((greatest - least) / (2 * MOST)).clamp_min(torch.finfo(torch.float32).tiny)
    code = ((values - middle) / step).round().clamp(-MOST, MOST)
    return Quantised(code.to(torch.int8), middle, step)


def restore(quantised: Quantised) -> Float[Tensor, "N D"]:
    """The values that the codes stand for."""
    return quantised.middle + quantised.step * quantised.code.float()


def rounded(field: SplatField) -> SplatField:
    """The field with the positions and spreads that eight bits leave of it."""
    return replace(
        field,
        position=restore(quantise(field.position)),
        log_spread=restore(quantise(field.log_spread)),
    )
