"""What a value is, by its contents: a key that names it, and the bytes that keeping it takes.

Visitors who ask the same share one answer by such keys, and nothing depends on where an object
happens to lie.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import sys
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor

UNCHANGING = (
    type(None), bool, int, float, complex, str, bytes, enum.Enum, PurePath,
    torch.dtype, torch.device,
)  # fmt: skip


def content_key(*parts: object) -> str:
    """A sha256 over tensors (bytes, shape, dtype, kind of device) and settings, in order.

    Settings are dataclasses, by class and fields; numbers, texts, tuples, lists, sets, mappings.

    Raises:
        TypeError: a part of another kind, which could only be told apart by its address.
    """
    digest = hashlib.sha256()
    for piece in _pieces(parts):
        # Its length before each piece: ("ab", "c") and ("a", "bc") differ.
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.hexdigest()


def held_bytes(result: object) -> int:
    """Memory that a kept result takes: its tensors, and the objects around them."""
    if isinstance(result, Tensor):
        return result.nbytes + sys.getsizeof(result)
    return sys.getsizeof(result) + sum(held_bytes(part) for part in _parts(result))


def _names(value: Any) -> list[str]:
    """A dataclass's fields, and what else was set on it, such as cached properties."""
    fields = [field.name for field in dataclasses.fields(value)]
    return [*fields, *(name for name in getattr(value, "__dict__", ()) if name not in fields)]


def _parts(value: object) -> Iterator[object]:
    """What a container holds, one step down; nothing for anything else."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for name in _names(value):
            yield getattr(value, name)
    elif isinstance(value, Mapping):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, tuple | list | set | frozenset):
        yield from value


def _pieces(value: object) -> Iterator[bytes | memoryview]:
    """Kind, then contents; a container says how many parts follow."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}".encode()
    if isinstance(value, Tensor):
        yield f"tensor {value.dtype} {tuple(value.shape)} {value.device.type}".encode()
        plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous().flatten()
        yield plain.view(torch.uint8).numpy().data
    elif isinstance(value, enum.Enum):
        yield name + b" " + value.name.encode()
    elif isinstance(value, UNCHANGING):
        yield name
        yield value if isinstance(value, bytes) else repr(value).encode()
    elif isinstance(value, AbstractSet | Mapping):
        # In the order of their contents: two that are equal may stand in different order.
        members = value.items() if isinstance(value, Mapping) else value
        yield name + b" of %d" % len(members)
        yield from sorted(content_key(member).encode() for member in members)
    elif isinstance(value, tuple | list):
        yield name + b" of %d" % len(value)
        for part in value:
            yield from _pieces(part)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield name
        for field in dataclasses.fields(value):
            yield field.name.encode()
            yield from _pieces(getattr(value, field.name))
    else:
        raise TypeError(f"a {kind.__name__} has no contents that a key could be made of")
