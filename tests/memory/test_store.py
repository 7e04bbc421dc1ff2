"""What is kept: the same content is made once, within a bound, for all threads."""

from __future__ import annotations

import threading
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.memory.content import content_key, held_bytes
from hsa.memory.store import Store
from tests.attention.random_layers import random_layer

SIZES = {"a": 1, "b": 2, "c": 3, "d": 5, "e": 8, "f": 21}


@given(
    st.lists(st.sampled_from(sorted(SIZES)), max_size=60),
    st.integers(min_value=0, max_value=20),
)
@settings(max_examples=200, deadline=None)
def test_the_bound_holds_and_the_longest_unused_goes_first(asked: list[str], bound: int) -> None:
    """Against a plain account of what a least-recently-used cache of so much holds."""
    store: Store[str] = Store(bound, SIZES.__getitem__)
    account: OrderedDict[str, int] = OrderedDict()
    made: list[str] = []
    hits = evictions = 0

    def make(key: str) -> str:
        made.append(key)
        return key

    for key in asked:
        assert store.get(key, lambda key=key: make(key)) == key
        if key in account:
            account.move_to_end(key)
            hits += 1
        elif SIZES[key] <= bound:
            account[key] = SIZES[key]
            while sum(account.values()) > bound:
                account.popitem(last=False)
                evictions += 1
        use = store.use()
        assert use.held == sum(account.values()) <= use.capacity == bound
        assert (use.entries, use.hits, use.misses) == (len(account), hits, len(made))
        assert use.evictions == evictions
        assert all(kept in store for kept in account)


def test_looking_keeps_a_value_and_counts_it_only_where_it_is() -> None:
    store: Store[bytes] = Store(3, len)
    for key in "abc":
        store.put(key, b"1")
    assert store.peek("a") == b"1" and store.peek("x") is None
    store.put("d", b"1")
    assert "a" in store and "b" not in store
    assert (store.use().hits, store.use().misses, store.use().evictions) == (1, 0, 1)


def test_what_is_too_heavy_is_handed_over_and_evicts_nothing() -> None:
    store: Store[bytes] = Store(10, len)
    store.put("small", b"1")
    for _ in range(2):
        assert len(store.get("large", lambda: bytes(11))) == 11
    assert "large" not in store and "small" in store
    assert (store.use().misses, store.use().evictions) == (2, 0)


def test_putting_again_replaces_the_weight() -> None:
    store: Store[bytes] = Store(10, len)
    store.put("a", bytes(8))
    store.put("a", bytes(3))
    assert store.use().held == 3
    store.put("a", bytes(11))
    assert store.use().held == 0
    assert store.peek("a") is None


def test_a_failure_is_passed_on_and_the_next_may_try() -> None:
    store: Store[bytes] = Store(10, len)
    with pytest.raises(ZeroDivisionError):
        store.get("key", lambda: bytes(1 // 0))
    assert store.get("key", lambda: b"x") == b"x"


def test_attention_of_the_same_content_is_a_hit_and_of_other_content_a_miss() -> None:
    """The same numbers in other tensors have one key; one number changed has another."""
    store: Store = Store(1 << 30, held_bytes)

    def ask(seed: int, reads: int) -> Tensor:
        activations, layer = random_layer(seed)
        spending = Spending(torch.full((4,), reads))
        key = content_key("attend", activations, layer, spending)
        return store.get(key, lambda: attend(activations, layer, spending)).output

    first = ask(5, 9)
    assert ask(5, 9) is first
    assert (store.use().hits, store.use().misses) == (1, 1)
    assert not torch.equal(ask(5, 10), first)
    ask(6, 9)
    assert (store.use().hits, store.use().misses, store.use().entries) == (1, 3, 3)
    assert store.use().held >= 3 * first.nbytes


def together(*works) -> None:
    """Run each in a thread of its own, and wait for all."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"


def test_two_threads_make_the_same_key_once() -> None:
    store: Store[Tensor] = Store(1 << 20, lambda tensor: tensor.nbytes)
    started, second_asks = threading.Event(), threading.Event()
    made: list[int] = []
    found: list[Tensor] = []

    def make() -> Tensor:
        made.append(threading.get_ident())
        started.set()
        second_asks.wait(20)
        return torch.ones(4)

    def second() -> None:
        started.wait(20)
        threading.Timer(0.05, second_asks.set).start()  # once this thread waits
        found.append(store.get("k", make))

    together(lambda: found.append(store.get("k", make)), second)
    assert len(made) == 1 and found[0] is found[1]
    assert (store.use().hits, store.use().misses) == (1, 1)


def test_another_key_does_not_wait() -> None:
    store: Store[int] = Store(10, lambda value: 1)
    other_done = threading.Event()

    def slow() -> int:
        assert other_done.wait(20), "the other key waited for this one"
        return 1

    def quick() -> None:
        store.get("quick", lambda: 2)
        other_done.set()

    together(lambda: store.get("slow", slow), quick)
    assert store.use().entries == 2


@pytest.mark.parametrize("fails", [True, False])
def test_who_waited_for_nothing_makes_it_for_itself(fails: bool) -> None:
    """The first one fails, or its value is too large to keep."""
    store: Store[bytes] = Store(10, len)
    started = threading.Event()
    found: list[int] = []

    def first_make() -> bytes:
        started.set()
        threading.Event().wait(0.05)  # the second one comes to wait meanwhile
        return bytes(11 // (0 if fails else 1))

    def first() -> None:
        try:
            found.append(len(store.get("k", first_make)))
        except ZeroDivisionError:
            found.append(0)

    def second() -> None:
        started.wait(20)
        found.append(len(store.get("k", lambda: bytes(3))))

    together(first, second)
    assert sorted(found) == ([0, 3] if fails else [3, 11])
    assert (store.use().entries, store.use().held) == (1, 3)


def test_many_threads_never_mix_values_or_pass_the_bound() -> None:
    store: Store[Tensor] = Store(5 * 400, lambda tensor: tensor.nbytes)
    wrong: list[str] = []

    def visit(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for number in torch.randint(12, (200,), generator=generator).tolist():
            got = store.get(number, lambda n=number: torch.full((100,), float(n)))
            if not bool((got == number).all()):
                wrong.append(f"{number} brought {got[0]}")
            if store.use().held > 2000:
                wrong.append("over the bound")

    together(*(lambda seed=seed: visit(seed) for seed in range(4)))
    assert not wrong
    use = store.use()
    assert use.hits + use.misses == 800
    assert use.held == 400 * use.entries


def test_asking_for_the_key_being_made_is_a_mistake() -> None:
    store: Store[int] = Store(10, lambda value: 1)
    with pytest.raises(AssertionError, match="waits for itself"):
        store.get("k", lambda: store.get("k", lambda: 1))
