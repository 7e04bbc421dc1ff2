"""Independent pieces of CPU work on all cores: one thread each, results in order.

Blocks of queries depend on one another by nothing but their tables, and at a block's size one
core's kernels waste less than two cores sharing every operation.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work` of every item, in order; the next items are made while workers answer.

    No more than two items a worker are under way, which bounds memory. Gradients are off in
    the workers. With one thread allowed, or one core, it is a plain loop.
    """
    workers = torch.get_num_threads()
    if workers == 1:
        yield from map(work, items)
        return
    pool = _pool(workers)
    under_way: deque[Future[Result]] = deque()

    def quietly(item: Item) -> Result:
        with torch.no_grad():
            return work(item)

    try:
        for item in items:
            under_way.append(pool.submit(quietly, item))
            if len(under_way) >= 2 * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()


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
        torch.set_num_threads(1)
        ready.wait()

    pool = ThreadPoolExecutor(workers, "hsa-blocks", initializer=start)
    for _ in range(workers):
        pool.submit(torch.get_num_threads)
    ready.wait()
    torch.set_num_threads(workers)
    return pool
