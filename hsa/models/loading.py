"""Loading a model once, with the attention function that asks what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from hsa.errors import HSAError, ModelError
from hsa.models import fingerprint, substitution
from hsa.models.loaded import LoadedModel
from hsa.models.support import ATTEMPT, attention_calls
from hsa.models.whereabouts import Whereabouts, locate

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

    from hsa.models.cache import Progress

PROBE_TEXT = "One small text, read once to see which modules attend."
# These learn positions from pad_token_id + 1 on, so their tables are longer than their texts.
OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "data2vec-text")
# Heads that transformers may leave out or fill freshly: attention does not pass through them.
HARMLESS_MISSING = ("pooler.", "lm_head.", "cls.", "classifier.")


def load(
    name: str,
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> LoadedModel:
    """Load a model by key of the catalogue, hub id or local folder.

    No code that comes with a model is run, and weights are read from safetensors only.

    Raises:
        ModelError: unknown, unreachable, damaged or unsupported, or no such device; it names what
            to try.
    """
    _check_device(device)
    where = locate(name, progress)
    if progress is not None:
        progress(f"Loading {where.title}", None)
    substitution.register()
    transformers_logging.disable_progress_bar()
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": where.only_local}
    try:
        config = AutoConfig.from_pretrained(where.path, **options)
        _refuse_unsuited(config)
        tokenizer = AutoTokenizer.from_pretrained(where.path, **options)
        loader = AutoModelForCausalLM if _has_output_head(config) else AutoModel
        loading: Any = loader.from_pretrained(
            where.path,
            dtype=dtype,
            attn_implementation=substitution.IMPLEMENTATION,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
        model, report = loading
    except HSAError:
        raise
    except Exception as error:  # transformers raises a dozen kinds for files that do not fit
        raise ModelError(
            f"{where.title} could not be loaded",
            got=f"{type(error).__name__}: {str(error).splitlines()[0][:240] if str(error) else ''}",
            needed="config.json, safetensors weights and a tokenizer that transformers knows",
            attempt=ATTEMPT,
        ) from error
    _refuse_partial(where, report)
    model.to(device).eval().requires_grad_(False)
    ids = list(tokenizer(PROBE_TEXT, verbose=False)["input_ids"])
    if not ids:
        raise ModelError(
            f"The tokenizer of {where.title} finds nothing to read in a sentence",
            got=type(tokenizer).__name__,
            attempt="check that the folder's tokenizer is the model's own",
        )
    max_tokens = where.max_tokens or _limit(config, tokenizer)
    probe = torch.tensor([ids[:max_tokens]], device=model.device)
    calls = attention_calls(model, {"input_ids": probe})
    if where.weights_sha256 is None:
        print_of_model = fingerprint.of_model(model)
    else:
        print_of_model = fingerprint.of_files(model, where.weights_sha256)
    return LoadedModel(
        name=name,
        title=where.title,
        model=model,
        tokenizer=tokenizer,
        attention_modules=tuple(call.module for call in calls),
        query_heads=calls[0].query.shape[1],
        key_value_heads=calls[0].key.shape[1],
        head_dim=calls[0].query.shape[3],
        causal=calls[0].causal,
        max_tokens=max_tokens,
        fingerprint=print_of_model,
    )


def _check_device(device: str | torch.device) -> None:
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(
            "Nothing can be computed on this device",
            got=f"{device}: {str(error).splitlines()[0][:160]}",
            needed="a device that torch finds on this machine",
            attempt="cpu",
        ) from error


def _has_output_head(config: PreTrainedConfig) -> bool:
    names = config.architectures or ()
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names)


def _refuse_unsuited(config: PreTrainedConfig) -> None:
    unsuited = None
    if getattr(config, "is_encoder_decoder", False):
        unsuited = "an encoder-decoder model"
    elif any(hasattr(config, part) for part in ("vision_config", "audio_config")):
        unsuited = "a model of pictures or sound"
    elif not getattr(config, "vocab_size", None):
        unsuited = "a model without a vocabulary"
    elif not getattr(config, "num_hidden_layers", None):
        unsuited = "a model without a declared number of layers"
    if unsuited is not None:
        raise ModelError(
            f"Models of type {config.model_type!r} are not supported",
            got=unsuited,
            needed="one stack of text layers: a causal language model or a text encoder",
            attempt=ATTEMPT,
        )


def _refuse_partial(where: Whereabouts, report: dict[str, Any]) -> None:
    """Weights that the files lack would be filled with noise, without a word."""
    lacking = [
        key
        for key in sorted(report.get("missing_keys", ()))
        if not any(part in f"{key}." for part in HARMLESS_MISSING)
    ]
    lacking += [str(row) for row in report.get("mismatched_keys", ())]
    if lacking:
        raise ModelError(
            f"The weights of {where.title} are incomplete",
            got=f"{len(lacking)} tensors missing or of another shape, such as {lacking[0]}",
            attempt="download the model again, or use 'smollm2'",
        )


def _limit(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """Longest text in tokens: the smaller of what the model and its tokenizer declare."""
    positions = getattr(config, "max_position_embeddings", None) or 2048
    if config.model_type in OFFSET_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    return int(min(positions, tokenizer.model_max_length))
