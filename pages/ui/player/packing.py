"""Named arrays to one run of bytes, and back.

Sorted numbers, and frames of one splat after another, differ little from what stands before
them: integers are stored as differences, which wrap around, and so compress to little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

TYPES = {"f4": "<f4", "i4": "<i4", "u2": "<u2", "u1": "u1"}


def pack(arrays: Mapping[str, np.ndarray]) -> tuple[list[dict[str, object]], bytes]:
    """Where each array lies, and all of them; wide numbers first, so that each is aligned."""
    described: list[dict[str, object]] = []
    body: list[bytes] = []
    offset = 0
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):
        stored = _differences(array) if array.dtype.kind in "iu" else array
        described.append(
            {
                "name": name,
                "type": f"{array.dtype.kind}{array.itemsize}",
                "length": array.size,
                "offset": offset,
            }
        )
        data = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
        body.append(data)
        offset += len(data)
    return described, b"".join(body)


def unpack(described: Sequence[Mapping], body: bytes) -> dict[str, np.ndarray]:
    """The arrays that `pack` described; what the browser does."""
    arrays = {}
    for entry in described:
        stored = np.frombuffer(
            body, dtype=TYPES[entry["type"]], count=entry["length"], offset=entry["offset"]
        )
        sums = stored.dtype.kind in "iu"
        arrays[entry["name"]] = np.cumsum(stored, dtype=stored.dtype) if sums else stored
    return arrays


def _differences(array: np.ndarray) -> np.ndarray:
    """The first number, then what each adds to the one before it, modulo the type."""
    before = np.concatenate([np.zeros(1, array.dtype), array[:-1]])[: array.size]
    return np.subtract(array, before)
