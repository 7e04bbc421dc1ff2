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

    assert list(side_by_side(late, range(20))) == list(range(20))


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
        list(side_by_side(fails, range(20)))
    assert list(side_by_side(fails, range(3))) == [0, 1, 2]


def test_no_more_than_two_items_a_worker_are_under_way(two_threads: None) -> None:
    taken = 0

    def items():
        nonlocal taken
        for number in range(40):
            taken += 1
            yield number

    results = side_by_side(lambda number: number, items())
    assert next(results) == 0 and taken <= 5


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
