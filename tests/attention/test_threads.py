"""Work on all cores, and on one: results in order, errors told, settings left alone."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from hsa.attention.one_thread import one_thread
from hsa.attention.side_by_side import on_cores, side_by_side


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order(two_threads: None) -> None:
    def late(number: int) -> int:
        time.sleep(0.01 * (number % 3))
        return number

    assert side_by_side(late, range(20)) == list(range(20))


def test_workers_use_one_thread_each_and_no_gradients(two_threads: None) -> None:
    def settings(_: int) -> tuple[int, bool, bool]:
        worker = threading.current_thread() is not threading.main_thread()
        return torch.get_num_threads(), torch.is_grad_enabled(), worker

    assert set(side_by_side(settings, range(8))) == {(1, False, True)}
    assert torch.get_num_threads() == 2
    found = []
    fresh = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    fresh.start()
    fresh.join()
    assert found == [2], "threads to come are left as they were"


def test_an_error_is_told_and_the_pool_goes_on(two_threads: None) -> None:
    def fails(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        return number

    with pytest.raises(ValueError, match="five"):
        side_by_side(fails, range(20))
    assert side_by_side(fails, range(3)) == [0, 1, 2]


def test_no_more_items_than_workers_are_there_at_once(two_threads: None) -> None:
    there, most, counting = 0, 0, threading.Lock()

    def items():
        nonlocal there, most
        for number in range(40):
            with counting:
                there += 1
                most = max(most, there)
            yield number

    def work(number: int) -> int:
        nonlocal there
        time.sleep(0.001)
        with counting:
            there -= 1
        return number

    assert side_by_side(work, items()) == list(range(40))
    assert most == 2


def test_an_item_that_cannot_be_made_is_told(two_threads: None) -> None:
    def items():
        yield 1
        raise KeyError("no second")

    with pytest.raises(KeyError, match="no second"):
        side_by_side(lambda number: number, items())


def test_two_callers_at_once(two_threads: None) -> None:
    found = {}

    def call(name: int) -> None:
        found[name] = side_by_side(lambda number: number * name, range(50))

    callers = [threading.Thread(target=call, args=(name,)) for name in (1, 2, 3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == {name: [number * name for number in range(50)] for name in (1, 2, 3)}


def test_one_thread_is_given_back(two_threads: None) -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(ValueError), one_thread():
        raise ValueError
    assert torch.get_num_threads() == 2


def test_one_thread_already_is_left_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


def test_what_may_leave_the_thread() -> None:
    plain, asked = torch.zeros(1), torch.zeros(1, requires_grad=True)
    assert on_cores(plain) and not on_cores(plain, asked)
    with torch.no_grad():
        assert on_cores(asked)
