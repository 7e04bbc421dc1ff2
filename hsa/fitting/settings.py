"""What a fit is given: named texts, and how much of everything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from hsa.field.model_field import Source
from hsa.hyperparameter import check_bounds, hyperparameter

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Text:
    """A named text."""

    name: str
    content: str

    @property
    def sha256(self) -> str:
        """Of its UTF-8 bytes; lone surrogates, which a paste may hold, are kept."""
        return hashlib.sha256(self.content.encode("utf-8", "surrogatepass")).hexdigest()

    def source(self, tokens: int) -> Source:
        """As a field names it."""
        return Source(self.name, self.sha256, tokens)


@dataclass(frozen=True)
class FitSettings:
    """How a field is fitted."""

    documents: int = hyperparameter(8, 1, 64, "splats", "Documents per key/value head")
    sections: int = hyperparameter(64, 1, 512, "splats", "Sections per key/value head")
    phrases: int = hyperparameter(640, 2, 8192, "splats", "Phrases per key/value head")
    positions: int = hyperparameter(8192, 64, 131072, "tokens", "longest window read")
    tokens_per_text: int = hyperparameter(10240, 64, 10**7, "tokens", "most read of each text")
    keys_kept: int = hyperparameter(32768, 256, 10**6, "keys", "sample kept per key/value head")
    rounds: int = hyperparameter(15, 1, 200, "rounds", "k-means rounds")
    calibration_tokens: int = hyperparameter(4096, 32, 131072, "tokens", "length calibrated on")
    queries: int = hyperparameter(32, 4, 1024, "queries", "calibration queries per text")
    seed: int = hyperparameter(0, 0, 2**31, "", "seed of sampling and k-means")

    def __post_init__(self) -> None:
        check_bounds(self)
