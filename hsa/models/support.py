"""Whether a loaded model can be shown: its attention is really called, and in a form we know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hsa.errors import ModelError
from hsa.models import program
from hsa.models.program import AttentionCall
from hsa.models.substitution import LOGIT_CHANGING, standard

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ATTEMPT = "use 'smollm2' or 'minilm', or a Llama-, Qwen-, Mistral-, GPT-2- or BERT-like model"


def attention_calls(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], partly: bool = True
) -> list[AttentionCall]:
    """The calls of one small forward pass, one per layer, in order.

    Some architectures accept any attention implementation and never call it, so only
    counting tells.

    Args:
        partly: HSA must be able to read a part of the keys, so that logits which closed
            splats cannot express are refused.

    Raises:
        ModelError: attention is not called once per layer, or cannot be expressed here.
    """
    calls: list[AttentionCall] = []

    def record(call: AttentionCall) -> Tensor:
        calls.append(call)
        return standard(call)

    with torch.no_grad(), program.running(record):
        try:
            model.base_model(**inputs)
        except Exception as error:
            raise ModelError(
                "The model fails on a small input",
                got=f"{type(error).__name__}: {str(error)[:200]}",
                attempt=ATTEMPT,
            ) from error
    expected = model.config.num_hidden_layers
    if len(calls) != expected or len({call.module for call in calls}) != expected:
        raise _unsupported(
            model, f"{len(calls)} calls of the attention function in {expected} layers"
        )
    for call in calls:
        if partly:
            _check_logits(model, call)
        if call.value.shape != call.key.shape or call.query.shape[2] != call.key.shape[2]:
            raise _unsupported(model, "values or keys of another shape than the queries")
    shapes = {(*call.query.shape[1:], *call.key.shape[1:], call.causal) for call in calls}
    if len(shapes) != 1:
        raise _unsupported(model, "layers with different heads, or partly causal")
    return calls


def _check_logits(model: PreTrainedModel, call: AttentionCall) -> None:
    changing = [name for name in LOGIT_CHANGING if call.extras.get(name) is not None]
    if call.softcap is not None:
        changing.append("softcap")
    if changing:
        raise _unsupported(model, f"attention logits changed by {', '.join(changing)}")


def _unsupported(model: PreTrainedModel, got: str) -> ModelError:
    return ModelError(
        f"Models of type {model.config.model_type!r} are not supported",
        got=got,
        needed="softmax over scaled q·k, called through transformers' attention interface",
        attempt=ATTEMPT,
    )
