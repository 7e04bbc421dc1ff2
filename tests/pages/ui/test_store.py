"""The cache that all visitors share: bounded, made once, nothing lost to a failure."""

from __future__ import annotations

import threading
import time

import pytest

from pages.ui.store import Store


def test_it_never_weighs_more_than_its_capacity() -> None:
    store: Store[bytes] = Store(100, len)
    for number in range(50):
        store.get(number, lambda: bytes(30))
        assert store.weight <= 100
    assert len(store) == 3
    assert store.peek(49) is not None
    assert store.peek(46) is None


def test_the_least_recently_used_goes_first() -> None:
    store: Store[bytes] = Store(3, len)
    for key in "abc":
        store.put(key, b"1")
    store.peek("a")
    store.put("d", b"1")
    assert store.peek("a") == b"1"
    assert store.peek("b") is None


def test_what_is_too_heavy_is_handed_over_and_not_kept() -> None:
    store: Store[bytes] = Store(10, len)
    store.put("small", b"1")
    assert len(store.get("large", lambda: bytes(11))) == 11
    assert store.peek("large") is None
    assert store.peek("small") == b"1"


def test_putting_again_replaces_the_weight() -> None:
    store: Store[bytes] = Store(10, len)
    store.put("a", bytes(8))
    store.put("a", bytes(3))
    assert store.weight == 3
    store.put("a", bytes(11))
    assert store.weight == 0
    assert store.peek("a") is None


def test_visitors_at_once_make_it_once() -> None:
    store: Store[bytes] = Store(10, len)
    made = []

    def make() -> bytes:
        time.sleep(0.05)
        made.append(1)
        return b"x"

    visitors = [threading.Thread(target=store.get, args=("key", make)) for _ in range(8)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert len(made) == 1


def test_a_failure_is_passed_on_and_the_next_may_try() -> None:
    store: Store[bytes] = Store(10, len)

    def fail() -> bytes:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.get("key", fail)
    assert store.get("key", lambda: b"x") == b"x"
