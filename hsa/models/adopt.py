"""A model that the caller has built: what the engine must know of it to run HSA inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from hsa.models import fingerprint, substitution
from hsa.models.loaded import LoadedModel
from hsa.models.support import attention_calls

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def adopt(
    model: PreTrainedModel, example: Mapping[str, Tensor], tokenizer: Any = None
) -> LoadedModel:
    """Take up any transformers model whose attention goes through its AttentionInterface.

    The model is set to `attn_implementation="hsa"` and stays so: outside a `running` block
    that is standard attention. Pictures are read too, and logits with soft caps, learned sinks
    or position biases, though only under plans that read every key.

    Args:
        example: inputs of one small forward pass; the calls in it are counted.
        tokenizer: needed to read and write text; ids can be given without it.

    Raises:
        ModelError: attention is not called once per layer, with the same heads in each.
    """
    substitution.register()
    model.set_attn_implementation(substitution.IMPLEMENTATION)
    calls = attention_calls(model, example, partly=False)
    longest = getattr(model.config, "max_position_embeddings", None) or calls[0].key.shape[2]
    name = str(getattr(model.config, "name_or_path", "") or type(model).__name__)
    return LoadedModel(
        name=name,
        title=name,
        model=model,
        tokenizer=tokenizer,
        attention_modules=tuple(call.module for call in calls),
        query_heads=calls[0].query.shape[1],
        key_value_heads=calls[0].key.shape[1],
        head_dim=calls[0].query.shape[3],
        causal=calls[0].causal,
        max_tokens=int(longest),
        fingerprint=fingerprint.of_model(model),
    )
