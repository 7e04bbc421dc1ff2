"""Words, noun chunks and sentences of a known text, and what is said where there are none."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from torch import Tensor

from hsa.errors import InputError, ModelError
from hsa.models.loaded import LoadedModel
from hsa.models.loading import load
from hsa.specialization.pipeline import parser
from hsa.specialization.token_groups import token_groups
from hsa.tokens import Tokens

TEXT = "The unhappily rolling ship sank. The old captain saw it."
FRENCH = "Longtemps, je me suis couché de bonne heure, et mes yeux se fermaient si vite."


def texts(tokens: Tokens, group: Tensor) -> list[str]:
    found: dict[int, str] = {}
    for string, number in zip(tokens.strings, group.tolist(), strict=True):
        found[number] = found.get(number, "") + string
    assert list(found) == sorted(found), "numbered in reading order"
    return [text.strip() for text in found.values()]


def test_words_chunks_and_sentences(smollm2: LoadedModel) -> None:
    tokens = smollm2.tokenize(TEXT)
    assert texts(tokens, token_groups(TEXT, tokens, "token")) == [s.strip() for s in tokens.strings]
    words = texts(tokens, token_groups(TEXT, tokens, "word"))
    assert words == [
        "The", "unhappily", "rolling", "ship", "sank", ".",
        "The", "old", "captain", "saw", "it", ".",
    ]  # fmt: skip
    assert len(words) < len(tokens)
    assert texts(tokens, token_groups(TEXT, tokens, "sentence")) == [
        "The unhappily rolling ship sank.", "The old captain saw it.",
    ]  # fmt: skip
    assert texts(tokens, token_groups(TEXT, tokens, "chunk")) == [
        "The unhappily rolling ship", "sank", ".", "The old captain", "saw", "it", ".",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["word", "chunk", "sentence"])
def test_special_tokens_stay_alone(kind: str) -> None:
    minilm = load("minilm")
    tokens = minilm.tokenize(TEXT)
    found = token_groups(TEXT, tokens, kind)
    special = [at for at, is_special in enumerate(tokens.special) if is_special]
    assert special == [0, len(tokens) - 1]
    assert all((found == found[at]).sum() == 1 for at in special)
    assert int(found.max()) + 1 < len(tokens)


def test_what_is_missing_is_said(smollm2: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    french, tokens = smollm2.tokenize(FRENCH), smollm2.tokenize(TEXT)
    with pytest.raises(InputError, match="Noun chunks"):
        token_groups(FRENCH, french, "chunk")
    with pytest.raises(InputError, match="by sentence"):
        token_groups(TEXT, replace(tokens, spans=()), "sentence")
    parser.cache_clear()
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(ModelError, match="parser is missing"):
        token_groups(TEXT, tokens, "chunk")
    parser.cache_clear()
