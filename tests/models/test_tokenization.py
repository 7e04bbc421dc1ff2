"""Whatever a visitor types is read, or refused with a reason."""

from __future__ import annotations

import time

import pytest

from hsa.errors import InputError
from hsa.models.loaded import LoadedModel


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0", "\0\0", None, 3, b"bytes"])
def test_nothing_to_read(text: object, smollm2: LoadedModel, minilm: LoadedModel) -> None:
    for loaded in (smollm2, minilm):
        with pytest.raises(InputError):
            loaded.tokenize(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "🤖👩‍👩‍👧 naïve",
        "שלום עולם، مرحبا",
        "<script>alert(1)</script> **bold** [link](x) & <!-- -->",
        "[CLS] typed [SEP] <|im_start|> special <|im_end|>",
        "\u202eright to left override",
        "combining e\u0301 and zero\u200bwidth",
    ],
)
def test_strange_texts_are_read(text: str, smollm2: LoadedModel, minilm: LoadedModel) -> None:
    for loaded in (smollm2, minilm):
        tokens = loaded.tokenize(text)
        assert len(tokens) >= 1
        assert tokens.notes == ()
        assert tokens.truncated_from is None
        assert all(tokens.strings)


def test_strings_read_as_the_text(smollm2: LoadedModel) -> None:
    text = "Call me Ishmael, said the 42nd whale.\n  Indented."
    tokens = smollm2.tokenize(text)
    assert "".join(tokens.strings) == text
    assert not any(tokens.special)
    assert tokens.words[0] == 0
    assert len(set(tokens.words)) < len(tokens)


def test_parts_of_a_character_are_shown_as_bytes(smollm2: LoadedModel) -> None:
    shown = smollm2.tokenize("x🤖").strings
    assert "".join(shown[1:]).replace("⟩⟨", " ") == "⟨F0 9F A4 96⟩"


def test_unknown_is_part_of_the_text_and_sep_is_not(minilm: LoadedModel) -> None:
    tokens = minilm.tokenize("one 🤖 [SEP] two")
    assert tokens.strings == ("[CLS]", "one", "[UNK]", "[SEP]", "two", "[SEP]")
    assert tokens.special == (True, False, False, True, False, True)
    assert [word is None for word in tokens.words] == list(tokens.special)


def test_surrogates_and_nul_are_told(smollm2: LoadedModel) -> None:
    tokens = smollm2.tokenize("a\ud800b\udfff\0c")
    assert "2 halves" in tokens.notes[0]
    assert "1 NUL" in tokens.notes[1]
    assert "".join(tokens.strings).endswith("c")


@pytest.mark.parametrize(
    "text", ["word " * 20_000, "a" * 100_000, "🤖" * 100_000, "x y " * 900_000]
)
def test_long_texts_are_cut_and_told_quickly(
    text: str, smollm2: LoadedModel, minilm: LoadedModel
) -> None:
    for loaded in (smollm2, minilm):
        start = time.perf_counter()
        tokens = loaded.tokenize(text)
        assert time.perf_counter() - start < 10  # a hang, not a benchmark
        if len(text) > 1_000_000:
            assert "characters" in tokens.notes[0]
        if tokens.truncated_from is not None:
            assert len(tokens) == loaded.max_tokens
            assert f"{tokens.truncated_from:,}" in tokens.notes[-1]
        assert len(tokens) <= loaded.max_tokens


def test_a_cut_text_keeps_its_frame(minilm: LoadedModel) -> None:
    tokens = minilm.tokenize("hello " * 1000)
    assert (len(tokens), tokens.truncated_from) == (256, 1002)
    assert (tokens.strings[0], tokens.strings[-1]) == ("[CLS]", "[SEP]")
    assert sum(tokens.special) == 2


def test_exactly_the_limit_is_not_cut(minilm: LoadedModel) -> None:
    assert minilm.tokenize("hello " * 254).truncated_from is None
    assert minilm.tokenize("hello " * 255).truncated_from == 257
