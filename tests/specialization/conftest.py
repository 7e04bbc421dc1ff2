"""The reference texts, parsed once, and the keys of a real layer that reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsa.field.layer_field import LayerField
from hsa.field.shipped import shipped_field
from hsa.models.loaded import LoadedModel
from hsa.models.loading import load
from hsa.specialization.corpus import Corpus, corpus
from hsa.specialization.layer_keys import LayerKeys
from hsa.specialization.measure import measure

REFERENCE = Path(__file__).resolve().parents[2] / "assets" / "reference"
LAYER = 2


@pytest.fixture(scope="session")
def smollm2() -> LoadedModel:
    return load("smollm2")


@pytest.fixture(scope="session")
def reference_texts() -> list[str]:
    return [path.read_text("utf-8") for path in sorted(REFERENCE.glob("*.txt"))]


@pytest.fixture(scope="session")
def reference(smollm2: LoadedModel, reference_texts: list[str]) -> Corpus:
    return corpus(smollm2, reference_texts, tokens=11_000, window=1024)


@pytest.fixture(scope="session")
def real_keys(smollm2: LoadedModel, reference: Corpus) -> tuple[LayerField, list[LayerKeys]]:
    field = shipped_field("smollm2", smollm2.fingerprint)
    found: list[LayerKeys] = []
    measure(
        smollm2, field, reference.passages, reference.annotations, [LAYER],
        lambda _, keys: found.append(keys),
    )  # fmt: skip
    return field.layer(LAYER), found
