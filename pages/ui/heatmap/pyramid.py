"""Smaller copies of a coded matrix in which a single hot cell is still hot."""

import numpy as np

from .panel import Kind
from .quantisation import BLANK, positions

SMALLEST_SIDE = 128


def pyramid(codes: np.ndarray, kind: Kind) -> list[np.ndarray]:
    """The matrix itself, then each level half as wide and high, until it fits 128 × 128."""
    levels = [codes]
    while max(levels[-1].shape) > SMALLEST_SIDE:
        levels.append(_halved(levels[-1], kind))
    return levels


def _halved(codes: np.ndarray, kind: Kind) -> np.ndarray:
    """Each 2 × 2 block keeps the code farthest from zero; blanks lose against everything."""
    strength = np.nan_to_num(np.abs(positions(kind)), nan=-1.0)

    def stronger(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(strength[a] >= strength[b], a, b)

    rows, columns = codes.shape
    even = np.full((rows + rows % 2, columns + columns % 2), BLANK, dtype=np.uint8)
    even[:rows, :columns] = codes
    return stronger(
        stronger(even[0::2, 0::2], even[0::2, 1::2]),
        stronger(even[1::2, 0::2], even[1::2, 1::2]),
    )
