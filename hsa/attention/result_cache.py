"""Attention results kept by content: the same question asked again is not computed again.

A key is the sha256 of everything that a result follows from, so visitors who ask the same share
one answer, and nothing depends on where an object happens to lie.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")

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
    """Memory that a kept copy of a result takes: its tensors, and the objects around them."""
    if isinstance(result, Tensor):
        return result.numel() * result.element_size() + sys.getsizeof(result)
    return sys.getsizeof(result) + sum(held_bytes(part) for part in _parts(result))


def own_copy(result: Result) -> Result:
    """The same result with tensors of its own, none a view of a larger one.

    Raises:
        TypeError: holds something that is neither a tensor, a dataclass, a tuple, list, set or
            mapping of such, nor unchangeable.
    """
    copied: Any = result
    if isinstance(result, Tensor):
        copied = result.detach().clone(memory_format=torch.contiguous_format)
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        copied = copy.copy(result)
        for name in _names(result):
            # Past `frozen` and past __post_init__, which the first one passed already.
            object.__setattr__(copied, name, own_copy(getattr(result, name)))
    elif isinstance(result, dict) and type(result) is dict:
        copied = {own_copy(key): own_copy(value) for key, value in result.items()}
    elif isinstance(result, tuple | list | set | frozenset):
        parts = [own_copy(part) for part in result]
        named = hasattr(result, "_fields")
        copied = type(result)(*parts) if named else type(result)(parts)
    elif not isinstance(result, UNCHANGING):
        raise TypeError(f"a {type(result).__name__} cannot be kept: its copy might share memory")
    return copied


@dataclass(frozen=True)
class CacheUse:
    """What a cache did and holds. Every question is a hit or a miss."""

    hits: int
    misses: int
    bytes_held: int
    entries: int
    most_bytes: int


class ResultCache:
    """Results by key, at most `most_bytes` of them together; the longest unused goes first.

    What is kept is a copy that nobody else holds, and every hit is a copy of that, so a caller
    may change what it got. Threads may share the cache: of those that ask for the same key at
    once one computes and the others wait. A result too large to keep is handed out all the same;
    those who waited for it then compute it themselves, one after another.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._computing: dict[str, int] = {}
        self._changed = threading.Condition()
        self._hits = self._misses = self._bytes = 0

    def get_or_compute(
        self,
        key: str,
        compute: Callable[[], Result],
        size_of: Callable[[Result], int] = held_bytes,
    ) -> Result:
        """The result kept for `key`, or else what `compute` returns, which is then kept.

        What `compute` raises reaches the caller, and nothing is kept.

        Args:
            key: a `content_key` of all that the result follows from.
            compute: may ask this cache for other keys, but not for this one.
            size_of: bytes that a kept copy takes.
        """
        with self._changed:
            assert self._computing.get(key) != threading.get_ident(), "waits for itself"
            self._changed.wait_for(lambda: key in self._kept or key not in self._computing)
            found = self._kept.get(key)
            if found is None:
                self._misses += 1
                self._computing[key] = threading.get_ident()
            else:
                self._hits += 1
                self._kept.move_to_end(key)
        if found is not None:
            return own_copy(found[0])
        try:
            result = compute()
            size = size_of(result)
            if size <= self.most_bytes:
                self._keep(key, own_copy(result), size)
            return result
        finally:
            with self._changed:
                del self._computing[key]
                self._changed.notify_all()

    def use(self) -> CacheUse:
        """Counts since the cache was made, and what it holds now."""
        with self._changed:
            return CacheUse(self._hits, self._misses, self._bytes, len(self._kept), self.most_bytes)

    def clear(self) -> None:
        """Forget every result; counts of hits and misses go on."""
        with self._changed:
            self._kept.clear()
            self._bytes = 0

    def _keep(self, key: str, result: object, size: int) -> None:
        with self._changed:
            while self._kept and self._bytes + size > self.most_bytes:
                _, (_, freed) = self._kept.popitem(last=False)
                self._bytes -= freed
            self._kept[key] = (result, size)
            self._bytes += size


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
