"""The most memory that this process held while a block ran, above its level at entry."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import psutil
import torch

STATUS = Path("/proc/self/status")

_MEASURING: set[PeakMemory] = set()
_LOCK = threading.Lock()


class PeakMemory:
    """Measure a with-block's peak: `with PeakMemory() as peak: …`, then `peak.process_bytes`.

    Resident memory is sampled by a thread, so a peak shorter than `period_seconds` can be
    missed. Linux keeps a high-water mark of its own; where the block raised it, that mark is the
    peak, nothing is missed, and `sampled` is False. Both are the whole process's: what other
    threads allocate meanwhile is counted too, and memory that the allocator kept from earlier
    work and now reuses is not.

    On CUDA the peak is the allocator's own, exact, of one device. Its counter is reset at entry;
    blocks that overlap, nested or in other threads, tell each other before they do.

    Attributes:
        samples: readings of resident memory, the ones at entry and exit included.
    """

    def __init__(
        self, device: torch.device | str | None = None, period_seconds: float = 0.005
    ) -> None:
        self.device = _cuda_device(device)
        self.period_seconds = period_seconds
        self.samples = 0
        self.sampled = True
        self._process = psutil.Process()
        self._level = self._highest = 0
        self._mark = 0
        self._device_level = self._device_highest = 0
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="hsa-peak-memory", daemon=True)

    @property
    def process_bytes(self) -> int:
        """Bytes of resident memory above the level at entry; so far, while the block runs."""
        return max(0, self._highest - self._level)

    @property
    def device_bytes(self) -> int:
        """Bytes of CUDA memory above the level at entry; 0 without CUDA."""
        return max(0, self._device_highest - self._device_level)

    def __enter__(self) -> PeakMemory:
        with _LOCK:
            if self.device is not None:
                for other in _MEASURING:
                    other._read_device()
                _reset_device(self.device)
                self._device_level = torch.cuda.memory_allocated(self.device)
            _MEASURING.add(self)
        self._level = self._read()
        self._mark = _high_water_mark()
        self._sampler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._sampler.join()
        self._read()
        mark = _high_water_mark()
        if mark > self._mark:
            self._highest = max(self._highest, mark)
            self.sampled = False
        with _LOCK:
            self._read_device()
            _MEASURING.discard(self)

    def _sample(self) -> None:
        while not self._ended.wait(self.period_seconds):
            self._read()

    def _read(self) -> int:
        now = self._process.memory_info().rss
        self._highest = max(self._highest, now)
        self.samples += 1
        return now

    def _read_device(self) -> None:
        if self.device is not None:
            peak = torch.cuda.max_memory_allocated(self.device)
            self._device_highest = max(self._device_highest, peak)


def _cuda_device(wish: torch.device | str | None) -> torch.device | None:
    if wish is None:
        return torch.device("cuda", torch.cuda.current_device()) if _cuda_in_use() else None
    device = torch.device(wish)
    return device if device.type == "cuda" else None


def _cuda_in_use() -> bool:
    # Asking for the current device would start CUDA, which takes memory by itself.
    return torch.cuda.is_available() and torch.cuda.is_initialized()


def _reset_device(device: torch.device) -> None:
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats(device)


def _high_water_mark() -> int:
    """Most bytes ever resident, by the kernel's account; 0 where it keeps none.

    Not `ru_maxrss`: a process that was just started inherits that of the one that started it.
    """
    try:
        status = STATUS.read_text("ascii")
    except OSError:
        return 0
    _, _, rest = status.partition("VmHWM:")
    return 1024 * int(rest.split()[0]) if rest else 0
