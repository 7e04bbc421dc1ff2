"""Values to the 8-bit codes that the browser colours, and back.

    sequential   0 blank · 1 zero, or under the floor of a log scale
                 2..32    below zero: minus the position (code − 2) / 30 along the scale
                 33..255  position (code − 33) / 222
    diverging    0 blank · 128 zero, or under the floor · 1..255 position (code − 128) / 127

Weights below zero are rare and small (closed splats may tilt under zero), yet never hidden.
"""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from .panel import Kind

ScaleName = Literal["linear", "gamma", "log"]
SCALE_NAMES: tuple[ScaleName, ...] = ("linear", "gamma", "log")

BLANK = 0
ZERO, FIRST_BELOW, FIRST_STEP = 1, 2, 33
STEPS_BELOW, STEPS = FIRST_STEP - 1 - FIRST_BELOW, 255 - FIRST_STEP
MIDDLE, HALF_STEPS = 128, 127
LOG_DECADES = 4


@dataclass(frozen=True)
class Quantisation:
    """How a magnitude becomes a position between 0 and 1, and a position a code."""

    kind: Kind
    scale: ScaleName
    largest: float

    def __post_init__(self) -> None:
        if self.scale not in SCALE_NAMES:
            raise ValueError(f"a scale is one of {', '.join(SCALE_NAMES)}, not {self.scale!r}")

    @property
    def floor(self) -> float:
        """The smallest magnitude that a log scale still tells from zero."""
        return self.largest * 10.0**-LOG_DECADES if self.scale == "log" else 0.0

    def position(self, magnitude: np.ndarray) -> np.ndarray:
        """Where along the colour bar, from 0 to 1, a magnitude lies."""
        if self.largest == 0.0:
            return np.zeros_like(magnitude)
        share = np.minimum(magnitude / np.float32(self.largest), 1.0)
        if self.scale == "gamma":
            return np.sqrt(share)
        if self.scale == "log":
            share = np.maximum(share, 10.0**-LOG_DECADES)
            return 1.0 + np.log10(share) / LOG_DECADES
        return share

    def magnitude(self, position: np.ndarray) -> np.ndarray:
        """The inverse of `position`."""
        if self.scale == "gamma":
            return self.largest * position**2
        if self.scale == "log":
            return self.largest * 10.0 ** (LOG_DECADES * (position - 1.0))
        return self.largest * position

    def codes(self, values: np.ndarray) -> np.ndarray:
        """The 8-bit codes of a matrix; NaN becomes blank."""
        blank = np.isnan(values)
        magnitude = np.where(blank, np.float32(0), np.abs(values, dtype=np.float32))
        position = self.position(magnitude)
        nothing = magnitude < self.floor if self.floor else magnitude == 0
        if self.kind == "diverging":
            steps = np.rint(position * HALF_STEPS).astype(np.int16)
            codes = MIDDLE + np.where(values < 0, -steps, steps)
            codes[nothing] = MIDDLE
        else:
            up = FIRST_STEP + np.rint(position * STEPS).astype(np.int16)
            down = FIRST_BELOW + np.rint(position * STEPS_BELOW).astype(np.int16)
            codes = np.where(values < 0, down, up)
            codes[nothing] = ZERO
        codes[blank] = BLANK
        return codes.astype(np.uint8)

    def values(self, codes: np.ndarray) -> np.ndarray:
        """What the browser reads back; blank is NaN."""
        signed = positions(self.kind)[codes]
        return np.sign(signed) * self.magnitude(np.abs(signed)) + 0 * signed

    def header(self) -> dict[str, str | float]:
        """What the browser needs in order to read the codes."""
        return asdict(self) | {"floor": self.floor}


def positions(kind: Kind) -> np.ndarray:
    """The signed position that each of the 256 codes stands for; NaN for blank.

    Position 0 of a log scale is its floor, which codes other than `ZERO` and `MIDDLE` reach.
    """
    code = np.arange(256, dtype=np.float64)
    if kind == "diverging":
        signed = (code - MIDDLE) / HALF_STEPS
    else:
        signed = np.where(
            code < FIRST_STEP, -(code - FIRST_BELOW) / STEPS_BELOW, (code - FIRST_STEP) / STEPS
        )
        signed[ZERO] = 0.0
    signed[BLANK] = np.nan
    return signed
