"""Cut texts into windows that a model can read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens

CHARACTERS_PER_TOKEN = 8
"""More than any ordinary text needs, so that a piece always fills its window."""


def first_tokens(tokens: Tokens, count: int) -> Tokens:
    """The first tokens of a text, its closing special tokens kept."""
    if len(tokens) <= count:
        return tokens
    closing = 0
    while closing < len(tokens) - 1 and tokens.special[len(tokens) - 1 - closing]:
        closing += 1

    def cut(values: tuple) -> tuple:
        return values[: count - closing] + values[len(values) - closing :]

    return replace(
        tokens,
        ids=cut(tokens.ids),
        strings=cut(tokens.strings),
        special=cut(tokens.special),
        words=cut(tokens.words),
        spans=cut(tokens.spans) if tokens.spans else (),
        truncated_from=tokens.truncated_from or len(tokens),
    )


def windows(loaded: LoadedModel, text: str, window: int, most: int) -> Iterator[Tokens]:
    """Consecutive windows of a text, `most` tokens in all; a last scrap under 16 is dropped."""
    at = read = 0
    while read < most and text[at:].strip():
        piece = text[at : at + CHARACTERS_PER_TOKEN * window]
        tokens = loaded.tokenize(piece)
        whole = tokens.truncated_from or len(tokens)
        kept = first_tokens(tokens, min(window, most - read))
        if len(kept) < 16:
            return
        yield kept
        read += len(kept)
        at += max(1, len(piece) * len(kept) // whole)
