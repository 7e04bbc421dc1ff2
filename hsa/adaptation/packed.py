"""Tensors of like numbers side by side, which packs better than each edit's own after another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor


class Packing:
    """Collects tensors by the stream that they belong to."""

    def __init__(self) -> None:
        self._streams: dict[str, list[bytes]] = defaultdict(list)

    def put(self, **tensors: Tensor) -> None:
        """Append each to the stream of its name."""
        for name, tensor in tensors.items():
            self._streams[name].append(tensor.contiguous().numpy().tobytes())

    def lengths(self) -> dict[str, int]:
        """Bytes of each stream, in the order in which they stand in the content."""
        return {name: sum(map(len, parts)) for name, parts in self._streams.items()}

    def content(self) -> bytes:
        """All streams, one after the other."""
        return b"".join(part for parts in self._streams.values() for part in parts)


class Unpacking:
    """Gives tensors back in the order in which each stream took them."""

    def __init__(self, content: bytes, lengths: Mapping[str, int]) -> None:
        self._content, self._at, at = content, {}, 0
        for name, length in lengths.items():
            self._at[name] = at
            at += length

    def take(self, name: str, dtype: torch.dtype, *shape: int) -> Tensor:
        """The next tensor of a stream."""
        count = 1
        for size in shape:
            count *= size
        if count == 0:
            return torch.zeros(*shape, dtype=dtype)
        start = self._at[name]
        end = self._at[name] = start + count * dtype.itemsize
        return torch.frombuffer(bytearray(self._content[start:end]), dtype=dtype).view(*shape)
