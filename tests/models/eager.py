"""The yardstick: the same weights through transformers' own eager attention."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hsa.activations import Activations
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens


@dataclass
class EagerLayer:
    """Weights [B, H, T, T] and heads' outputs side by side [B, T, H·D]."""

    weights: Tensor
    output: Tensor


def eager_copy(loaded: LoadedModel) -> torch.nn.Module:
    """Another model object, so that hooks on it touch nothing of ours."""
    # Of a copy of the configuration: choosing an attention writes into it.
    config = copy.deepcopy(loaded.model.config)
    twin = type(loaded.model)._from_config(config, attn_implementation="eager")
    twin.load_state_dict(loaded.model.state_dict())
    return twin.to(loaded.model.dtype).eval()


def padded(loaded: LoadedModel, texts: Sequence[Tokens], side: str) -> dict[str, Tensor]:
    longest = max(len(tokens) for tokens in texts)
    ids = torch.zeros(len(texts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(texts):
        place = slice(longest - len(tokens), None) if side == "left" else slice(len(tokens))
        ids[row, place] = torch.tensor(tokens.ids)
        mask[row, place] = 1
    return {"input_ids": ids, "attention_mask": mask}


def eager_layers(twin: torch.nn.Module, inputs: dict[str, Tensor]) -> list[EagerLayer]:
    projections = [
        module
        for name, module in twin.named_modules()
        if name.endswith((".o_proj", ".attn.c_proj", "attention.output.dense"))
    ]
    outputs: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, arguments: outputs.append(arguments[0]))
        for module in projections
    ]
    with torch.no_grad():
        weights = twin.base_model(**inputs, output_attentions=True, use_cache=False).attentions
    for hook in hooks:
        hook.remove()
    assert len(outputs) == len(weights)
    return [EagerLayer(*pair) for pair in zip(weights, outputs, strict=True)]


def recomputed(activations: Activations) -> tuple[Tensor, Tensor]:
    """Weights [H, T, T] and output [T, H·D] from the captured tensors alone, in float64."""
    k = activations.k.double().repeat_interleave(activations.group, dim=0)
    v = activations.v.double().repeat_interleave(activations.group, dim=0)
    logits = activations.q.double() @ k.transpose(1, 2) * activations.scaling
    weights = logits.masked_fill(~activations.visible(), float("-inf")).softmax(-1)
    return weights, (weights @ v).transpose(0, 1).flatten(1)


def relative(measured: Tensor, expected: Tensor) -> float:
    difference = (measured.double() - expected.double()).norm()
    return float(difference / expected.double().norm())
