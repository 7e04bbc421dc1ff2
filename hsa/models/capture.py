"""Capture: the queries, keys and values of a forward pass, without touching the model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import overload

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.errors import InputError, ModelError
from hsa.models import program
from hsa.models.fits import check_text
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall
from hsa.models.substitution import standard
from hsa.tokens import Tokens

# Receives a layer's number and its activations; a batch's come one text after the other.
Consumer = Callable[[int, Activations], None]


@overload
def capture(
    loaded: LoadedModel,
    texts: Tokens,
    layers: Collection[int] | None = None,
    consumer: Consumer | None = None,
) -> dict[int, Activations]: ...
@overload
def capture(
    loaded: LoadedModel,
    texts: Sequence[Tokens],
    layers: Collection[int] | None = None,
    consumer: Consumer | None = None,
) -> list[dict[int, Activations]]: ...
def capture(
    loaded: LoadedModel,
    texts: Tokens | Sequence[Tokens],
    layers: Collection[int] | None = None,
    consumer: Consumer | None = None,
) -> dict[int, Activations] | list[dict[int, Activations]]:
    """Activations by layer for one text, or a list of such for a batch of texts.

    Args:
        layers: which to capture; all by default. The pass stops after the last of them.
        consumer: receives each layer as it comes; then nothing is kept and the dicts
            returned are empty. What it raises ends the pass and reaches the caller.

    Raises:
        InputError: no tokens, too many for model or memory, or no such layer in the model.
        ModelError: the model masks its attention in a way that Activations cannot say.
    """
    single = isinstance(texts, Tokens)
    batch = [texts] if single else list(texts)
    wanted = _layers(loaded, layers)
    # A consumer may keep nothing: the layer at hand alone is certain.
    _check_lengths(loaded, batch, kept_layers=len(wanted) if consumer is None else 1)
    kept: list[dict[int, Activations]] = [{} for _ in batch]
    if wanted and batch:
        sink = _Sink(loaded, batch, wanted, kept, consumer)
        with torch.no_grad(), program.running(sink), suppress(_EnoughSeen):
            loaded.model.base_model(**_inputs(loaded, batch), use_cache=False)
    return kept[0] if single else kept


def forward_logits(loaded: LoadedModel, tokens: Tokens) -> Float[Tensor, "T V"]:
    """Next-token logits of a causal language model under the program now running.

    Raises:
        InputError: no tokens, or too many for model or memory.
        ModelError: the model has no output head.
    """
    if not loaded.writes:
        raise ModelError(
            f"{loaded.title} predicts no next token",
            needed="a causal language model with its output head",
            attempt="use 'smollm2'",
        )
    _check_lengths(loaded, [tokens], logits=1)
    with torch.no_grad():
        return loaded.model(**_inputs(loaded, [tokens]), use_cache=False).logits[0]


class _EnoughSeen(Exception):
    """Ends the pass after the last layer asked for."""


class _Sink:
    """The program of a capture: standard attention, with the wanted layers taken down."""

    def __init__(
        self,
        loaded: LoadedModel,
        batch: list[Tokens],
        wanted: frozenset[int],
        kept: list[dict[int, Activations]],
        consumer: Consumer | None,
    ) -> None:
        self.layer_of = {module: layer for layer, module in enumerate(loaded.attention_modules)}
        self.batch = batch
        self.wanted = wanted
        self.last = max(wanted)
        self.kept = kept
        self.consumer = consumer
        self.checked: Tensor | None = None

    def __call__(self, call: AttentionCall) -> Tensor:
        layer = self.layer_of[call.module]
        if layer in self.wanted:
            for index, tokens in enumerate(self.batch):
                activations = _activations(layer, call, index, tokens, len(self.batch) == 1)
                if call.mask is not None and call.mask is not self.checked:
                    _check_mask(call.mask[index, 0], activations)
                if self.consumer is None:
                    self.kept[index][layer] = activations
                else:
                    self.consumer(layer, activations)
            self.checked = call.mask
        if layer == self.last:
            raise _EnoughSeen
        return standard(call)


def _activations(
    layer: int, call: AttentionCall, index: int, tokens: Tokens, alone: bool
) -> Activations:
    """One text's share of a layer; copied from a batch, so that padding is not kept alive."""
    count = len(tokens)

    def own(stack: Tensor) -> Tensor:
        rows = stack[index, :, :count]
        return rows.contiguous() if alone else rows.clone(memory_format=torch.contiguous_format)

    special = torch.tensor(tokens.special, dtype=torch.bool, device=call.query.device)
    return Activations(
        layer=layer,
        q=own(call.query),
        k=own(call.key),
        v=own(call.value),
        scaling=call.scaling,
        causal=call.causal,
        near_special=torch.zeros_like(special) if call.causal else special,
        sliding_window=call.sliding_window,
    )


def _check_mask(mask: Tensor, activations: Activations) -> None:
    """The model's own mask says what the activations say, for every pair of tokens."""
    count = activations.tokens
    seen = mask[:count, :count]
    if seen.dtype != torch.bool or not torch.equal(seen, activations.visible()):
        raise ModelError(
            "This model masks its attention in a way that is not supported",
            got=f"another mask than that in layer {activations.layer}",
            needed="causal, bidirectional or sliding-window attention",
        )


def _inputs(loaded: LoadedModel, batch: list[Tokens]) -> dict[str, Tensor]:
    """Ids padded on the right; causal tokens never see what follows, so need no mask."""
    device = loaded.model.device
    longest = max(len(tokens) for tokens in batch)
    padding = (loaded.tokenizer and loaded.tokenizer.pad_token_id) or 0
    rows = [list(tokens.ids) + [padding] * (longest - len(tokens)) for tokens in batch]
    inputs = {"input_ids": torch.tensor(rows, device=device)}
    if not loaded.causal and len({len(tokens) for tokens in batch}) > 1:
        lengths = torch.tensor([len(tokens) for tokens in batch], device=device)
        inputs["attention_mask"] = (
            torch.arange(longest, device=device)[None, :] < lengths[:, None]
        ).long()
    return inputs


def _layers(loaded: LoadedModel, layers: Collection[int] | None) -> frozenset[int]:
    if layers is None:
        return frozenset(range(loaded.layers))
    beyond = [layer for layer in layers if not 0 <= layer < loaded.layers]
    if beyond:
        raise InputError(
            f"{loaded.title} has no such layer",
            got=beyond[0],
            needed=f"a layer from 0 to {loaded.layers - 1}",
        )
    return frozenset(layers)


def _check_lengths(
    loaded: LoadedModel, batch: list[Tokens], logits: int = 0, kept_layers: int = 0
) -> None:
    for tokens in batch:
        if not 0 < len(tokens) <= loaded.max_tokens:
            raise InputError(
                "The text does not fit the model",
                got=f"{len(tokens)} tokens",
                needed=f"1 to {loaded.max_tokens} tokens",
                attempt="cut the text, or let the model's tokenize() do it",
            )
    if batch:
        longest = max(len(tokens) for tokens in batch)
        check_text(loaded, longest, texts=len(batch), logits=logits, kept_layers=kept_layers)
