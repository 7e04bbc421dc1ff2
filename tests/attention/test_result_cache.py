"""Results by content: what tells two questions apart, what is kept, and for whom."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hsa.attention.block_plan import BlockPlan
from hsa.attention.reference import attend
from hsa.attention.result_cache import ResultCache, content_key, held_bytes, own_copy
from hsa.attention.spending import Spending
from tests.attention.random_layers import random_layer


def test_equal_contents_in_other_objects_have_one_key() -> None:
    first, second = (content_key(*random_layer(3), BlockPlan(), 0.5, "x") for _ in range(2))
    assert first == second
    assert len(first) == 64


def test_a_tensor_that_changed_has_another_key() -> None:
    """Its address is the same: a key by `id` would return the old result."""
    tensor = torch.zeros(2000)
    before = content_key(tensor)
    tensor[1000] = 1e-6
    assert content_key(tensor) != before


def test_a_change_deep_inside_a_setting_is_seen() -> None:
    """`repr` shortens long tensors, so a key made of it would miss this."""
    activations, layer = random_layer(3)
    temper = layer.temper.clone()
    reads = torch.arange(3000)
    other = reads.clone()
    other[1500] += 1
    assert repr(reads) == repr(other)
    assert content_key(Spending(reads)) != content_key(Spending(other))
    temper[1, 1, 2] += 1e-6
    assert content_key(activations, layer) != content_key(
        activations, replace(layer, temper=temper)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.zeros(6), torch.zeros(2, 3)),
        (torch.zeros(4), torch.zeros(4, dtype=torch.int32)),
        (torch.zeros(4, dtype=torch.float16), torch.zeros(4, dtype=torch.bfloat16)),
        (torch.tensor(1.0), torch.tensor([1.0])),
        (1, 1.0),
        (1, True),
        (None, "None"),
        ("ab", b"ab"),
        ((1, 2), [1, 2]),
        (((1, 2), 3), (1, (2, 3))),
        (("ab", "c"), ("a", "bc")),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (BlockPlan(), BlockPlan(tokens=255)),
        (BlockPlan().tokens, BlockPlan()),
        (torch.float32, torch.float64),
    ],
)
def test_what_differs_has_another_key(one: object, other: object) -> None:
    assert content_key(one) != content_key(other)


def test_parts_cannot_run_together() -> None:
    assert content_key("a", "b") != content_key("ab")
    assert content_key((), (1,)) != content_key((1,), ())
    kind = b"builtins.bytes"
    assert content_key(b"a" + kind, b"b") != content_key(b"a", kind + b"b")
    assert content_key(torch.zeros(1), torch.zeros(2)) != content_key(
        torch.zeros(2), torch.zeros(1)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.arange(6).view(2, 3).mT, torch.arange(6).view(2, 3).mT.contiguous()),
        (torch.ones(1).expand(4), torch.ones(4)),
        (torch.arange(8)[::2], torch.tensor([0, 2, 4, 6])),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        (math.nan, math.nan),
        (torch.ones(2, requires_grad=True), torch.ones(2)),
    ],
)
def test_how_contents_lie_does_not_matter(one: object, other: object) -> None:
    assert content_key(one) == content_key(other)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.bfloat16, torch.complex64])
def test_every_dtype_has_keys(dtype: torch.dtype) -> None:
    one, other = torch.zeros(3, dtype=dtype), torch.zeros(3, dtype=dtype)
    assert content_key(one) == content_key(other)
    other[2] = 1
    assert content_key(one) != content_key(other)
    assert content_key(one[:0]) == content_key(other[:0])


@pytest.mark.parametrize("part", [object(), len, lambda: 1, BlockPlan, torch.nn.Linear(1, 1)])
def test_what_could_only_be_told_by_its_address_is_refused(part: object) -> None:
    with pytest.raises(TypeError, match="no contents"):
        content_key(1, (part,))


class Computer:
    """Counts how often each key was computed."""

    def __init__(self) -> None:
        self.computed: list[str] = []

    def __call__(self, cache: ResultCache, key: str, size: int) -> str:
        def compute() -> str:
            self.computed.append(key)
            return f"result of {key}"

        return cache.get_or_compute(key, compute, lambda result: size)


SIZES = {"a": 1, "b": 2, "c": 3, "d": 5, "e": 8, "f": 21}


@given(
    st.lists(st.sampled_from(sorted(SIZES)), max_size=60),
    st.integers(min_value=0, max_value=20),
)
@settings(max_examples=300, deadline=None)
def test_the_bound_holds_and_the_longest_unused_goes_first(asked: list[str], bound: int) -> None:
    """Against a plain account of what a least-recently-used cache of so many bytes holds."""
    cache, computer = ResultCache(bound), Computer()
    account: OrderedDict[str, int] = OrderedDict()
    hits = misses = 0
    for key in asked:
        assert computer(cache, key, SIZES[key]) == f"result of {key}"
        if key in account:
            account.move_to_end(key)
            hits += 1
        else:
            misses += 1
            if SIZES[key] <= bound:
                account[key] = SIZES[key]
                while sum(account.values()) > bound:
                    account.popitem(last=False)
        use = cache.use()
        assert use.bytes_held == sum(account.values()) <= bound
        assert (use.entries, use.hits, use.misses) == (len(account), hits, misses)
        assert len(computer.computed) == misses


def test_using_a_result_keeps_it() -> None:
    cache, computer = ResultCache(3), Computer()
    for key in ("a", "x", "y", "a", "z"):
        computer(cache, key, 1)
    computer(cache, "a", 1)
    assert computer.computed == ["a", "x", "y", "z"]
    computer(cache, "x", 1)
    assert computer.computed == ["a", "x", "y", "z", "x"]


def test_a_result_too_large_is_handed_out_and_evicts_nothing() -> None:
    cache, computer = ResultCache(10), Computer()
    computer(cache, "small", 4)
    assert computer(cache, "large", 11) == "result of large"
    computer(cache, "small", 4)
    computer(cache, "large", 11)
    assert computer.computed == ["small", "large", "large"]
    assert (cache.use().entries, cache.use().bytes_held) == (1, 4)


def test_a_failure_reaches_the_caller_and_is_not_kept() -> None:
    cache = ResultCache(10)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_compute("a", lambda: 1 // 0)
    assert cache.use().entries == 0
    assert cache.get_or_compute("a", lambda: 7, lambda _: 1) == 7


def test_clear_forgets_results() -> None:
    cache, computer = ResultCache(10), Computer()
    computer(cache, "a", 4)
    cache.clear()
    assert (cache.use().entries, cache.use().bytes_held, cache.use().misses) == (0, 0, 1)
    computer(cache, "a", 4)
    assert computer.computed == ["a", "a"]


@dataclass(frozen=True)
class Answer:
    output: Tensor
    blocks: tuple[Tensor, ...]
    by_name: dict[str, list[Tensor]]

    @cached_property
    def doubled(self) -> Tensor:
        return 2 * self.output


def answer() -> Answer:
    made = Answer(torch.ones(3), (torch.ones(2),), {"a": [torch.ones(1)]})
    assert made.doubled.sum() == 6
    return made


def spoil(given: Answer) -> None:
    for tensor in (given.output, given.blocks[0], given.by_name["a"][0], given.doubled):
        tensor.zero_()
    given.by_name["a"].append(torch.zeros(5))
    given.by_name["b"] = []


def test_nothing_that_a_caller_does_changes_what_is_kept() -> None:
    cache = ResultCache(1 << 20)
    spoil(cache.get_or_compute("k", answer))  # the one who computed it
    spoil(cache.get_or_compute("k", answer))  # the one who was given it
    found = cache.get_or_compute("k", answer)
    assert cache.use().misses == 1
    assert found.output.tolist() == [1, 1, 1] and found.doubled.tolist() == [2, 2, 2]
    assert found.blocks[0].tolist() == [1, 1]
    assert list(found.by_name) == ["a"] and [t.tolist() for t in found.by_name["a"]] == [[1]]


def test_a_view_is_kept_without_what_it_is_a_view_of() -> None:
    whole = torch.zeros(1_000_000)
    kept = own_copy((whole[:10], torch.zeros(1).expand(5)))
    assert [tensor.untyped_storage().nbytes() for tensor in kept] == [40, 20]
    assert held_bytes(whole[:10]) < 1000
    assert held_bytes(Answer(whole, (), {})) >= 4_000_000


def test_what_cannot_be_copied_safely_is_refused() -> None:
    class Holder:
        tensor = torch.ones(1)

    with pytest.raises(TypeError, match="Holder cannot be kept"):
        ResultCache(1 << 20).get_or_compute("k", lambda: (Holder(),))


def test_a_result_of_attention_comes_back_the_same() -> None:
    activations, layer = random_layer(5)
    spending = Spending(torch.full((4,), 9))
    cache = ResultCache(1 << 30)

    def ask() -> Any:
        key = content_key("attend", activations, layer, spending)
        return cache.get_or_compute(key, lambda: attend(activations, layer, spending))

    computed, kept = ask(), ask()
    assert (cache.use().hits, cache.use().misses) == (1, 1)
    assert type(kept) is type(computed) and kept is not computed
    assert content_key(kept) == content_key(computed)
    assert cache.use().bytes_held >= computed.output.nbytes


def together(*works: Any) -> None:
    """Run each in a thread of its own, and wait for all."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"


def test_two_threads_compute_the_same_key_once() -> None:
    cache = ResultCache(1 << 20)
    started, second_asks = threading.Event(), threading.Event()
    computed: list[int] = []
    found: list[Tensor] = []

    def compute() -> Tensor:
        computed.append(threading.get_ident())
        started.set()
        second_asks.wait(20)
        return torch.ones(4)

    def first() -> None:
        found.append(cache.get_or_compute("k", compute))

    def second() -> None:
        started.wait(20)
        threading.Timer(0.05, second_asks.set).start()  # once this thread waits
        found.append(cache.get_or_compute("k", compute))

    together(first, second)
    assert len(computed) == 1
    assert (cache.use().hits, cache.use().misses) == (1, 1)
    found[0].zero_()
    assert found[1].tolist() == [1, 1, 1, 1]


def test_another_key_does_not_wait() -> None:
    cache = ResultCache(1 << 20)
    other_done = threading.Event()

    def slow() -> int:
        assert other_done.wait(20), "the other key waited for this one"
        return 1

    def quick() -> None:
        cache.get_or_compute("quick", lambda: 2)
        other_done.set()

    together(lambda: cache.get_or_compute("slow", slow), quick)
    assert cache.use().entries == 2


@pytest.mark.parametrize("fails", [True, False])
def test_who_waited_for_nothing_computes_for_itself(fails: bool) -> None:
    """The first one fails, or its result is too large to keep."""
    cache = ResultCache(10)
    started = threading.Event()
    found: list[int] = []

    def first_compute() -> int:
        started.set()
        threading.Event().wait(0.05)  # the second one comes to wait meanwhile
        if fails:
            raise ZeroDivisionError
        return 1

    def first() -> None:
        try:
            found.append(cache.get_or_compute("k", first_compute, lambda _: 11))
        except ZeroDivisionError:
            found.append(0)

    def second() -> None:
        started.wait(20)
        found.append(cache.get_or_compute("k", lambda: 2, lambda _: 3))

    together(first, second)
    assert sorted(found) == ([0, 2] if fails else [1, 2])
    assert (cache.use().entries, cache.use().bytes_held) == (1, 3)


def test_many_threads_never_mix_results_or_pass_the_bound() -> None:
    cache = ResultCache(5 * 400)
    wrong: list[str] = []

    def visit(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for number in torch.randint(12, (200,), generator=generator).tolist():
            got = cache.get_or_compute(
                str(number), lambda n=number: torch.full((100,), float(n)), lambda t: t.nbytes
            )
            if not bool((got == number).all()):
                wrong.append(f"{number} brought {got[0]}")
            got.fill_(-1)
            if cache.use().bytes_held > 2000:
                wrong.append("over the bound")

    together(*(lambda seed=seed: visit(seed) for seed in range(4)))
    assert not wrong
    use = cache.use()
    assert use.hits + use.misses == 800
    assert use.bytes_held == 400 * use.entries


def test_asking_for_the_key_being_computed_is_a_mistake() -> None:
    cache = ResultCache(10)
    with pytest.raises(AssertionError, match="waits for itself"):
        cache.get_or_compute("k", lambda: cache.get_or_compute("k", lambda: 1))
