"""Real q, k, v of texts longer than a model reads: windows, moved to their places in the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from hsa.activations import Activations
from hsa.errors import InputError
from hsa.evaluation.rotary import Rotary
from hsa.fitting.settings import Text
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.models.tokenization import tokenize
from hsa.tokens import Tokens

CONTEXT = 256
"""Tokens at the head of a later window whose keys are dropped. They are the end of the window
before, there to be seen: a window's first keys are sinks, and a long text has those once."""


def joined_tokens(
    loaded: LoadedModel, texts: Sequence[Text], most: int, needed: int | None = None
) -> Tokens:
    """The first `most` tokens of texts read one after another.

    Raises:
        InputError: they hold fewer than `needed` tokens (`most` if left out).
    """
    found: list[Tokens] = []
    for text in texts:
        left = most - sum(map(len, found))
        if left <= 0:
            break
        found.append(token_slice(tokenize(loaded.tokenizer, text.content, most), slice(left)))
    count, needed = sum(map(len, found)), most if needed is None else needed
    if count < needed:
        raise InputError(
            "There is too little text",
            got=f"{count:,} tokens in {', '.join(text.name for text in texts) or 'no text'}",
            needed=f"{needed:,} tokens",
            attempt="name more texts, or measure fewer tokens",
        )

    def joined(name: str) -> tuple:
        return tuple(value for tokens in found for value in getattr(tokens, name))

    return Tokens(joined("ids"), joined("strings"), joined("special"), joined("words"))


def token_slice(tokens: Tokens, part: slice) -> Tokens:
    """A stretch of a text."""
    return Tokens(tokens.ids[part], tokens.strings[part], tokens.special[part], tokens.words[part])


def long_activations(
    loaded: LoadedModel,
    tokens: Tokens,
    layer: int,
    rotary: Callable[[], Rotary],
    window: int | None = None,
    report: Callable[[str], object] = lambda sentence: None,
) -> Activations:
    """One layer's activations over a text of any length.

    What fits into a window is captured as it is. Longer texts are read in windows that begin
    with the last `CONTEXT` tokens of the one before; each key and query is then turned to the
    position that it has in the whole text.

    Args:
        rotary: asked only when the text does not fit.
        window: the model's limit if left out.
    """
    window = loaded.max_tokens if window is None else window
    context = min(CONTEXT, window // 2)
    parts: list[Activations] = []
    begin = 0
    while begin + (context if parts else 0) < len(tokens):
        piece = token_slice(tokens, slice(begin, begin + window))
        report(f"layer {layer}: tokens {begin:,} to {begin + len(piece):,} of {len(tokens):,}")
        captured = capture(loaded, piece, [layer])[layer]
        if parts:
            captured = captured.part(slice(context, None))
            old = torch.arange(context, len(piece), device=captured.q.device)
            captured = moved(captured, rotary(), old, begin + old)
        parts.append(captured)
        begin += window - context

    def cat(name: str, dim: int) -> Tensor:
        return torch.cat([getattr(part, name) for part in parts], dim=dim)

    return replace(
        parts[0], q=cat("q", 1), k=cat("k", 1), v=cat("v", 1), near_special=cat("near_special", 0)
    )


def moved(activations: Activations, rotary: Rotary, old: Tensor, new: Tensor) -> Activations:
    """The same tokens at other positions; values have none."""
    return replace(
        activations,
        q=rotary.moved(activations.q, old, new),
        k=rotary.moved(activations.k, old, new),
    )
