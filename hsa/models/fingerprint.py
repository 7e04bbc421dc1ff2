"""A model's fingerprint: two models share it only if they attend alike."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# What shapes queries, keys and values besides the weights.
ESSENTIALS = (
    "model_type",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "rope_parameters",
    "sliding_window",
    "vocab_size",
    "max_position_embeddings",
)


def of_model(model: PreTrainedModel) -> str:
    """SHA-256 over the configuration's essentials and every weight, as loaded."""
    import torch

    digest = hashlib.sha256(_essentials(model))
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        plain = weight.detach().cpu().contiguous().flatten()
        if plain.numel():
            digest.update(memoryview(plain.view(torch.uint8).numpy()))
    return digest.hexdigest()


def of_files(model: PreTrainedModel, files_sha256: dict[str, str]) -> str:
    """SHA-256 over the essentials and the known digests of the weight files.

    It does not depend on the dtype that the files are loaded in.
    """
    digest = hashlib.sha256(_essentials(model))
    for name, known in sorted(files_sha256.items()):
        digest.update(f"{name} {known}\n".encode())
    return digest.hexdigest()


def _essentials(model: PreTrainedModel) -> bytes:
    settings = {name: getattr(model.config, name, None) for name in ESSENTIALS}
    return json.dumps(settings, sort_keys=True, default=str).encode()
