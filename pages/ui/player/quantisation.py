"""Positions and shares to 16 bits, and back.

    place   code / 65,535 of the way through the range of its axis
    share   0 zero · 1..65,535 position (code − 1) / 65,534 along its log scale

A map is at most a few thousand pixels wide, and an area is read to a few per cent.
"""

from __future__ import annotations

import math

import numpy as np

Range = tuple[float, float]

PLACE_STEPS = 65_535
SHARE_STEPS = 65_534


def range_of(values: np.ndarray) -> Range:
    """Least and most of what is there; of nothing, a range that divides nothing by zero."""
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def place_codes(values: np.ndarray, within: Range) -> np.ndarray:
    """Codes of places along one axis."""
    least, most = within
    span = (most - least) or 1.0
    return np.rint((values.astype(np.float64) - least) / span * PLACE_STEPS).astype(np.uint16)


def places(codes: np.ndarray, within: Range) -> np.ndarray:
    """Places that codes stand for, to half a step."""
    least, most = within
    return (least + codes.astype(np.float64) / PLACE_STEPS * (most - least)).astype(np.float32)


def log_range_of(shares: np.ndarray) -> Range:
    """Range of the logarithms of the shares above zero."""
    return range_of(np.log(shares[shares > 0].astype(np.float64)))


def share_codes(shares: np.ndarray, within: Range) -> np.ndarray:
    """Codes of prior shares; zero, which has no logarithm, has one of its own."""
    least, most = within
    span = (most - least) or 1.0
    above = shares > 0
    logs = np.log(np.where(above, shares, math.exp(least)).astype(np.float64))
    codes = 1 + np.rint((logs - least) / span * SHARE_STEPS)
    return np.where(above, codes, 0).astype(np.uint16)


def shares(codes: np.ndarray, within: Range) -> np.ndarray:
    """Shares that codes stand for."""
    least, most = within
    logs = least + (codes.astype(np.float64) - 1) / SHARE_STEPS * (most - least)
    return np.where(codes > 0, np.exp(logs), 0.0).astype(np.float32)
