"""The word, noun chunk or sentence that each token of a text stands in."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from hsa.errors import InputError
from hsa.explanation.groups import groups_of
from hsa.specialization.passages import Passage
from hsa.specialization.pipeline import TITLE, parser
from hsa.specialization.words import (
    ENGLISH_AT_LEAST,
    english_share,
    first_letter,
    surface_words,
)
from hsa.tokens import Tokens

Kind = Literal["token", "word", "chunk", "sentence"]


def token_groups(text: str, tokens: Tokens, kind: Kind) -> Int[Tensor, " T"]:
    """The group of each token; special tokens stay alone, and so do tokens outside noun chunks.

    Words are the tokenizer's, sentences end at their closing marks, chunks are the parser's.

    Args:
        text: what `tokens` were made from.

    Raises:
        InputError: the tokenizer does not tell where its tokens stand, or the text is in no
            language that the parser reads.
        ModelError: there is no parser.
    """
    if kind == "token":
        return torch.arange(len(tokens))
    if kind == "word":
        label = torch.tensor([-1 if word is None else word for word in tokens.words])
    else:
        if not tokens.spans:
            raise InputError(
                f"Tokens cannot be gathered by {kind} here",
                got="a tokenizer that does not tell which characters a token stands for",
                needed="a fast tokenizer", attempt="choose words",
            )  # fmt: skip
        read = text[: max(stop for _, stop in tokens.spans)]
        label = _chunks(read, tokens) if kind == "chunk" else _sentences(read, tokens)
    return groups_of(label.masked_fill(torch.tensor(tokens.special), -1))


def _sentences(text: str, tokens: Tokens) -> Int[Tensor, " T"]:
    return surface_words(Passage(0, text, tokens)).sentence


def _chunks(text: str, tokens: Tokens) -> Int[Tensor, " T"]:
    """The noun chunk of each token, by its first letter; -1 outside of all."""
    reads = parser()
    english = english_share(reads, text)
    if english < ENGLISH_AT_LEAST:
        raise InputError(
            "Noun chunks cannot be told in this text",
            got=f"{english:.0%} of its words are English function words",
            needed=f"English, with near a half of them: {TITLE} reads nothing else",
            attempt="choose words or sentences",
        )
    of_character = np.full(len(text) + 1, -1, dtype=np.int64)
    for number, chunk in enumerate(reads(text).noun_chunks):
        of_character[chunk.start_char : chunk.end_char] = number
    at = [first_letter(text, span) for span in tokens.spans]
    return torch.from_numpy(of_character[at])
