"""The reference corpus: texts cut into passages that the model reads one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hsa.errors import InputError
from hsa.fitting.windows import first_tokens
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens

CHARACTERS_PER_TOKEN = 8
"""More than any ordinary text needs, so that a piece always fills its passage."""

SHORTEST = 64
"""Tokens of the shortest passage that is read."""


@dataclass(frozen=True)
class Passage:
    """A stretch of a text with its tokens; `tokens.spans` are characters of `text`.

    Attributes:
        source: place of its text among the corpus's.
    """

    source: int
    text: str
    tokens: Tokens


def passages(loaded: LoadedModel, texts: Iterable[str], window: int, most: int) -> list[Passage]:
    """Consecutive passages of every text, `most` tokens in all, each text given its even part.

    Raises:
        InputError: the texts are too short for one passage, or the tokenizer does not tell which
            characters a token stands for.
    """
    contents = [_without_halves(text) for text in texts]
    found: list[Passage] = []
    left = most
    for source, text in enumerate(contents):
        for passage in _of_text(loaded, source, text, window, left // (len(contents) - source)):
            found.append(passage)
            left -= len(passage.tokens)
    if not found:
        raise InputError(
            "There is nothing to measure on", got=f"{len(contents)} texts",
            needed=f"a text of at least {SHORTEST} tokens", attempt="add longer texts",
        )  # fmt: skip
    if not all(passage.tokens.spans for passage in found):
        raise InputError(
            f"{loaded.title} does not tell which characters a token stands for",
            needed="a fast tokenizer", attempt="convert the tokenizer to a tokenizer.json",
        )  # fmt: skip
    return found


def _of_text(
    loaded: LoadedModel, source: int, text: str, window: int, most: int
) -> Iterator[Passage]:
    at = read = 0
    while most - read >= SHORTEST and text[at:].strip():
        piece = text[at : at + CHARACTERS_PER_TOKEN * window]
        tokens = first_tokens(loaded.tokenize(piece), min(window, most - read))
        if len(tokens) < SHORTEST:
            return
        end = max((stop for _, stop in tokens.spans), default=len(piece))
        yield Passage(source, piece[:end], tokens)
        read += len(tokens)
        at += end


def _without_halves(text: str) -> str:
    """As the tokenizer will read it, so that characters keep their places."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
