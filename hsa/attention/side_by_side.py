"""Independent pieces of CPU work on all cores: one thread each, results in order.

Blocks of queries depend on one another by nothing but their tables, and at a block's size one
core's kernels waste less than two cores sharing every operation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_STARTING = threading.Lock()


def on_cores(*tensors: torch.Tensor) -> bool:
    """Whether work on these may go to other threads: CPU tensors that ask for no gradients."""
    asked = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return not asked and all(tensor.device.type == "cpu" for tensor in tensors)


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` of every item, in order.

    A worker that is free makes the next item, while no other does, and works on it; so no more
    items than workers are there at once. Gradients are off. With one thread it is a plain loop.
    """
    workers = torch.get_num_threads()
    if workers == 1:
        return [work(item) for item in items]
    source, taking, failed = enumerate(items), threading.Lock(), threading.Event()
    found: dict[int, Result] = {}

    @torch.no_grad()
    def pull() -> None:
        while not failed.is_set():
            try:
                with taking:
                    given = next(source, None)
                if given is None:
                    return
                found[given[0]] = work(given[1])
            except BaseException:
                failed.set()
                raise

    pulls = [_pool(workers).submit(pull) for _ in range(workers)]
    wait(pulls)
    for done in pulls:
        done.result()
    return [found[number] for number in range(len(found))]


def _pool(workers: int) -> ThreadPoolExecutor:
    with _STARTING:
        return _started(workers)


@cache
def _started(workers: int) -> ThreadPoolExecutor:
    """Workers whose own torch uses one thread; started at once, for the setting leaks.

    `torch.set_num_threads` sets the caller's number and that of all threads to come, so it is
    set back before any other thread can start from here.
    """
    ready = threading.Barrier(workers + 1)

    def start() -> None:
        torch.get_num_threads()  # A thread's first question sets it to the common number.
        torch.set_num_threads(1)
        ready.wait()

    pool = ThreadPoolExecutor(workers, "hsa-blocks", initializer=start)
    for _ in range(workers):
        pool.submit(torch.get_num_threads)
    ready.wait()
    torch.set_num_threads(workers)
    return pool
