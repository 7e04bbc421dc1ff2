"""The folder of converted models: built all at once or not at all, and verified when read.

A build happens in a temporary folder beside its place, is flushed to the disk, and only
then renamed. A kill half way leaves a temporary folder that nobody reads and the next build
removes; two starts at once meet at a file lock that the system frees when a process dies.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from hsa.errors import ModelError
from hsa.models.fetch import file_sha256

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
CACHE_VARIABLE = "HSA_CACHE"

# (sentence, fraction done in [0, 1] or None while it is unknown)
Progress = Callable[[str, float | None], None]


def cache_folder() -> Path:
    """Where converted models live: $HSA_CACHE, or the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("hsa-explorer", appauthor=False))


def is_whole(folder: Path) -> bool:
    """Whether a built folder holds every file of its manifest, byte for byte.

    Sizes are compared every time, digests once per process for the same files.
    """
    try:
        listed = read_manifest(folder)
        stats = {name: (folder / name).stat() for name in listed}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if any(stats[name].st_size != listed[name][0] for name in listed):
        return False
    stamp = tuple((name, stats[name].st_mtime_ns, listed[name][1]) for name in sorted(listed))
    return _digests_agree(folder, stamp)


def read_manifest(folder: Path) -> dict[str, tuple[int, str]]:
    """Size in bytes and SHA-256 of each file, by name relative to the folder."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest["format"] != MANIFEST_FORMAT:
        raise ValueError("manifest of another format")
    return {name: (row["bytes"], row["sha256"]) for name, row in manifest["files"].items()}


def build_once(place: Path, fill: Callable[[Path], None], progress: Progress | None = None) -> Path:
    """The whole folder at `place`; `fill(folder)` makes its files where they are missing.

    Raises:
        ModelError: the cache folder cannot be written to, or another process holds it.
    """
    if is_whole(place):
        return place
    with _alone(place):
        if is_whole(place):  # built by another process while this one waited
            return place
        _remove_abandoned(place)
        if place.exists() and progress is not None:
            progress("The cached copy is incomplete or damaged; building it again", None)
        building = Path(tempfile.mkdtemp(prefix=f".{place.name}.building-", dir=place.parent))
        try:
            fill(building)
            _write_manifest(building)
            _flush(building)
            if place.exists():
                place.rename(place.with_name(f".{place.name}.building-damaged"))
            building.rename(place)
            _flush_folder(place.parent)
        finally:
            shutil.rmtree(building, ignore_errors=True)
            _remove_abandoned(place)
    return place


@contextmanager
def _alone(place: Path, wait_seconds: float = 900) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.parent / f".{place.name}.lock", timeout=wait_seconds)
        lock.acquire()
    except Timeout as timeout:
        raise ModelError(
            f"Another process has been preparing {place.name} for over {wait_seconds:.0f} seconds",
            attempt="wait for it, or end it and start again",
        ) from timeout
    except OSError as refusal:
        raise ModelError(
            "The cache folder cannot be written to",
            got=f"{place.parent}: {refusal.strerror}",
            attempt=f"set {CACHE_VARIABLE} to a folder with room for about 700 MB",
        ) from refusal
    try:
        yield
    finally:
        lock.release()


def _remove_abandoned(place: Path) -> None:
    """Called under the lock only, so any temporary folder belongs to a build that died."""
    for folder in place.parent.glob(f".{place.name}.building-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _write_manifest(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in files
    }
    text = json.dumps({"format": MANIFEST_FORMAT, "files": rows}, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":  # folders cannot be opened elsewhere
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@lru_cache(maxsize=32)
def _digests_agree(folder: Path, stamp: tuple[tuple[str, int, str], ...]) -> bool:
    return all(file_sha256(folder / name) == digest for name, _, digest in stamp)
