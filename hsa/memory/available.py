"""How much memory this process may still take before something ends it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import psutil

from hsa.errors import InputError

if TYPE_CHECKING:
    import torch

if sys.platform != "win32":
    import resource

MEMBERSHIP = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")
OWN_LIMIT = "HSA_MEMORY_BYTES"
"""Environment variable: the most bytes that this process may hold, where its user sets a limit."""


def available_bytes(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> int:
    """The least of the machine's free memory and what cgroups, RLIMIT_AS and OWN_LIMIT leave.

    Args:
        membership: the file that says which cgroups this process is in.
        mount: where the cgroups are found.

    Raises:
        InputError: OWN_LIMIT is set to what is no number of bytes.
    """
    left = [psutil.virtual_memory().available, *_left_in_cgroups(membership, mount)]
    return max(0, min([*left, *_left_in_address_space(), *_left_of_own_limit()]))


def available_device_bytes(device: torch.device) -> int:
    """Bytes that a CUDA device still has: free ones, and those that torch keeps unused."""
    import torch  # here, so that asking for the process's own memory loads nothing heavy

    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + kept


def _left_in_cgroups(membership: Path, mount: Path) -> Iterator[int]:
    """Limit less usage of every memory cgroup around this process, of version 1 or 2.

    A cgroup without readable numbers sets no limit that a process could know of.
    """
    for folder, version in _cgroups(membership, mount):
        names = {
            1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
            2: ("memory.max", "memory.current", "inactive_file"),
        }
        limit_name, usage_name, idle_name = names[version]
        limit, usage = _number(folder / limit_name), _number(folder / usage_name)
        if limit is not None and usage is not None:
            # Usage holds cached files too; the kernel drops idle ones before it refuses memory.
            yield limit - usage + _statistic(folder / "memory.stat", idle_name)


def _cgroups(membership: Path, mount: Path) -> Iterator[tuple[Path, int]]:
    """Folder and version of the process's memory cgroups and of all cgroups around them.

    In a container the path may be the host's, of which only the mount itself is seen.
    """
    for line in _lines(membership):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        root, version = (mount / "memory", 1) if controllers else (mount, 2)
        inside = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        for depth in range(len(inside), -1, -1):
            yield root.joinpath(*inside[:depth]), version


def _left_in_address_space() -> Iterator[int]:
    if sys.platform == "win32":
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield limit - psutil.Process().memory_info().vms


def _left_of_own_limit() -> Iterator[int]:
    given = os.environ.get(OWN_LIMIT, "").strip()
    if not given:
        return
    if not (given.isascii() and given.isdecimal()):
        raise InputError(
            f"{OWN_LIMIT} was not understood",
            got=repr(given[:40]),
            needed="a whole number of bytes",
            attempt="4000000000 for 4 GB",
        )
    yield int(given) - psutil.Process().memory_info().rss


def _statistic(path: Path, name: str) -> int:
    for line in _lines(path):
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    """What the file says; None for `max`, and where there is no such file."""
    first = next(iter(_lines(path)), "").strip()
    return int(first) if first.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
