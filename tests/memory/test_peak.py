"""The peak of a block: what it held at most, not what it held at the end."""

from __future__ import annotations

import mmap
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from hsa.memory import peak as peak_file
from hsa.memory.peak import PeakMemory

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000


def hold(megabytes: int, seconds: float = 0.05) -> None:
    """Touch so much memory, and let it go: the system's own, for a heap may have it lying about."""
    with mmap.mmap(-1, megabytes * MEGABYTE) as piece:
        for page in range(0, len(piece), mmap.PAGESIZE):
            piece[page] = 1
        time.sleep(seconds)


@pytest.fixture
def without_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system that keeps no high-water mark."""
    monkeypatch.setattr(peak_file, "_high_water_mark", lambda: 0)


def test_memory_given_back_before_the_end_is_counted(without_mark: None) -> None:
    with PeakMemory() as peak:
        hold(200)
        at_the_end = psutil.Process().memory_info().rss
    assert 190 * MEGABYTE < peak.process_bytes < 230 * MEGABYTE
    assert at_the_end < peak._level + 100 * MEGABYTE, "the piece was to be gone again"
    assert peak.sampled and peak.samples > 5


def test_nothing_done_is_nearly_nothing() -> None:
    with PeakMemory() as peak:
        time.sleep(0.03)
    assert peak.process_bytes < 5 * MEGABYTE
    assert peak.device_bytes == 0


def test_what_was_held_before_is_not_counted(without_mark: None) -> None:
    before = torch.ones(100 * MEGABYTE // 4)
    with PeakMemory() as peak:
        hold(50)
    assert 40 * MEGABYTE < peak.process_bytes < 80 * MEGABYTE
    assert before[-1] == 1


def test_the_kernels_mark_replaces_samples_that_missed_the_peak() -> None:
    """A period longer than the block leaves only the readings at entry and exit.

    In a process of its own, whose mark no other test has raised.
    """
    if not peak_file._high_water_mark():
        pytest.skip("this system keeps no high-water mark")
    program = """
import torch
from hsa.memory.peak import PeakMemory
with PeakMemory(period_seconds=60) as peak:
    torch.ones(50_000_000)
print(peak.samples, peak.sampled, peak.process_bytes)
"""
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    samples, sampled, measured = outcome.stdout.split()
    assert (samples, sampled) == ("2", "False")
    assert 195 * MEGABYTE < int(measured) < 215 * MEGABYTE


def test_samples_alone_miss_a_peak_between_them_and_say_so(without_mark: None) -> None:
    with PeakMemory(period_seconds=60) as peak:
        hold(100, seconds=0)
    assert peak.sampled
    assert peak.process_bytes < 50 * MEGABYTE


def test_an_error_passes_and_the_thread_ends() -> None:
    with pytest.raises(ZeroDivisionError), PeakMemory() as peak:
        hold(50)
        raise ZeroDivisionError
    assert peak.process_bytes > 0
    assert not peak._sampler.is_alive()
    assert peak not in peak_file._MEASURING


def test_blocks_in_two_threads_both_see_the_process(without_mark: None) -> None:
    """Resident memory is the process's, so an idle block sees its neighbour's peak."""
    found: dict[str, int] = {}
    entered = threading.Barrier(2)
    worked = threading.Event()

    def measure(name: str, megabytes: int) -> None:
        with PeakMemory() as peak:
            entered.wait(20)
            if megabytes:
                hold(megabytes)
                worked.set()
            else:
                worked.wait(20)
        found[name] = peak.process_bytes

    threads = [threading.Thread(target=measure, args=row) for row in (("busy", 150), ("idle", 0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(found.values()) > 130 * MEGABYTE


def test_results_do_not_change() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, 300, 300, generator=generator)
    plain = left @ right
    state = torch.get_rng_state()
    with PeakMemory(period_seconds=0.001):
        measured = left @ right
    assert torch.equal(plain, measured)
    assert torch.equal(state, torch.get_rng_state())


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An allocator's counters as CUDA keeps them: what is held, and the most since a reset."""
    state = SimpleNamespace(held=1000, most=9000)

    def take(count: int) -> None:
        state.held += count
        state.most = max(state.most, state.held)

    state.take = take
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: state.held)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: state.most)
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda device: setattr(state, "most", state.held)
    )
    return state


def test_device_peak_is_of_the_block_alone(cuda: SimpleNamespace) -> None:
    with PeakMemory("cuda:0") as peak:
        cuda.take(700)
        cuda.take(-600)
    assert peak.device_bytes == 700


def test_an_inner_blocks_reset_loses_nothing_of_the_outer(cuda: SimpleNamespace) -> None:
    with PeakMemory("cuda:0") as outer:
        cuda.take(5000)
        cuda.take(-5000)
        with PeakMemory("cuda:0") as inner:
            cuda.take(40)
    assert (outer.device_bytes, inner.device_bytes) == (5000, 40)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_real_device() -> None:
    torch.ones(1, device="cuda")
    with PeakMemory() as peak:
        torch.ones(100 * MEGABYTE // 4, device="cuda")
    assert peak.device_bytes == pytest.approx(100 * MEGABYTE, rel=0.05)
