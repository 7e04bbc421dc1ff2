"""A tiny Llama, its field, and a text that neither has seen."""

from __future__ import annotations

import pytest
import torch

from hsa.field.model_field import ModelField
from hsa.models.loaded import LoadedModel
from tests.inference.tiny import adopted, field_of, inputs_of


@pytest.fixture(scope="package")
def llama() -> tuple[LoadedModel, ModelField]:
    loaded = adopted("llama")
    return loaded, field_of(loaded, inputs_of("llama", 60, batch=3))


@pytest.fixture
def unseen() -> dict[str, torch.Tensor]:
    """60 tokens."""
    return inputs_of("llama", 60, seed=4)
