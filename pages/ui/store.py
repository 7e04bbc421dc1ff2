"""Results that all visitors share, within a bound: the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Store(Generic[V]):
    """A thread-safe cache keyed by content, bounded by the sum of its entries' weights.

    Two visitors who ask for the same thing at once make it once. A value heavier than the
    whole capacity is handed over and not kept.

    Args:
        weigh: an entry's weight, in the unit of `capacity` (bytes, or 1 for a count).
    """

    def __init__(self, capacity: int, weigh: Callable[[V], int]) -> None:
        self.capacity = capacity
        self.weight = 0
        self._weigh = weigh
        self._entries: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._guard = Lock()
        self._making: dict[Hashable, Lock] = {}

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value kept under this key, made first if there is none."""
        with self._guard:
            found = self._found(key)
            if found is not None:
                return found[0]
            making = self._making.setdefault(key, Lock())
        with making:
            found = self.peek(key)
            if found is not None:
                return found
            try:
                value = make()
                self.put(key, value)
            finally:
                with self._guard:
                    self._making.pop(key, None)
        return value

    def peek(self, key: Hashable) -> V | None:
        """The value kept under this key, or None."""
        with self._guard:
            found = self._found(key)
        return None if found is None else found[0]

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value, and let go of the oldest until all fit."""
        weight = self._weigh(value)
        with self._guard:
            if key in self._entries:
                self.weight -= self._entries.pop(key)[1]
            if weight > self.capacity:
                return
            self._entries[key] = (value, weight)
            self.weight += weight
            while self.weight > self.capacity:
                self.weight -= self._entries.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._entries)

    def _found(self, key: Hashable) -> tuple[V, int] | None:
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found
