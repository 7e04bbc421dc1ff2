"""Results kept by content within a bound, shared by all threads: the longest unused go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True)
class StoreUse:
    """What a store did since it was made, and what it holds now, in its unit."""

    hits: int
    misses: int
    evictions: int
    entries: int
    held: int
    capacity: int
    unit: str


class Store(Generic[V]):
    """A cache keyed by content, bounded by the sum of its entries' weights.

    Of threads that ask for the same key at once one makes the value and the others wait. What is
    kept is handed out as it is, not copied: results are immutable, and nobody may change one. A
    value heavier than the whole capacity is handed over and not kept; those who waited for it
    then make it themselves, one after another.

    Args:
        weigh: an entry's weight, in the unit of `capacity`.
        unit: "bytes", or "entries" where each of them weighs 1.
    """

    def __init__(self, capacity: int, weigh: Callable[[V], int], unit: str = "bytes") -> None:
        self.capacity = capacity
        self.unit = unit
        self._weigh = weigh
        self._entries: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._making: dict[Hashable, int] = {}
        self._changed = threading.Condition()
        self._weight = self._hits = self._misses = self._evictions = 0

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value kept under this key, or else what `make` returns, which is then kept.

        What `make` raises reaches the caller, and nothing is kept.

        Args:
            key: names all that the value follows from.
            make: may ask this store for other keys, but not for this one.
        """
        with self._changed:
            assert self._making.get(key) != threading.get_ident(), "waits for itself"
            self._changed.wait_for(lambda: key in self._entries or key not in self._making)
            found = self._found(key)
            if found is not None:
                return found[0]
            self._misses += 1
            self._making[key] = threading.get_ident()
        try:
            value = make()
            self.put(key, value)
            return value
        finally:
            with self._changed:
                del self._making[key]
                self._changed.notify_all()

    def peek(self, key: Hashable) -> V | None:
        """The value kept under this key, or None, which counts as no miss: nothing was made."""
        with self._changed:
            found = self._found(key)
        return None if found is None else found[0]

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value, and let go of the longest unused until all fit."""
        weight = self._weigh(value)
        with self._changed:
            if key in self._entries:
                self._weight -= self._entries.pop(key)[1]
            if weight > self.capacity:
                return
            while self._weight + weight > self.capacity:
                self._weight -= self._entries.popitem(last=False)[1][1]
                self._evictions += 1
            self._entries[key] = (value, weight)
            self._weight += weight

    def use(self) -> StoreUse:
        """Counts since the store was made, and what it holds now."""
        with self._changed:
            return StoreUse(
                self._hits, self._misses, self._evictions, len(self._entries), self._weight,
                self.capacity, self.unit,
            )  # fmt: skip

    def __contains__(self, key: Hashable) -> bool:
        with self._changed:
            return key in self._entries

    def _found(self, key: Hashable) -> tuple[V, int] | None:
        found = self._entries.get(key)
        if found is not None:
            self._hits += 1
            self._entries.move_to_end(key)
        return found
