"""From a visitor's text to Tokens: whatever is typed is read, or refused with a reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hsa.errors import InputError
from hsa.tokens import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Read at most, so that an absurdly long text stays quick; far more than any model's limit.
MAX_CHARACTERS = 1_000_000
SURROGATES = re.compile("[\ud800-\udfff]")
BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def tokenize(tokenizer: PreTrainedTokenizerBase, text: str, max_tokens: int) -> Tokens:
    """The text's tokens, special tokens added as the model expects, cut to its limit.

    Raises:
        InputError: not a text, or nothing in it to read.
    """
    readable, notes = _readable(text)
    if len(readable) > MAX_CHARACTERS:
        notes.append(
            f"The text has {len(readable):,} characters; only the first {MAX_CHARACTERS:,} "
            "were looked at."
        )
        readable = readable[:MAX_CHARACTERS]
    # Cutting is left out of this call: it would change the tokenizer, which threads share.
    encoded = tokenizer(readable, verbose=False, truncation=False, padding=False)
    ids: list[int] = list(encoded["input_ids"])
    words = _words(encoded, len(ids))
    spans = _spans(encoded)
    specials = _special_ids(tokenizer, readable)
    special = [token in specials for token in ids]
    added = tokenizer.num_special_tokens_to_add()
    if len(ids) <= added:
        raise InputError(
            "The model's tokenizer finds nothing to read in this text",
            got=repr(readable[:40]),
            attempt="type a word or a sentence",
        )
    truncated_from = None
    if len(ids) > max_tokens:
        truncated_from = len(ids)
        ids, special, words, spans = (
            _cut(row, special, max_tokens, added) for row in (ids, special, words, spans)
        )
        notes.append(
            f"The text has {truncated_from:,} tokens; only the first {len(ids):,} "
            "are read, the model's limit."
        )
    return Tokens(
        ids=tuple(ids),
        strings=tuple(_display(tokenizer, ids)),
        special=tuple(special),
        words=tuple(
            None if is_special else word for word, is_special in zip(words, special, strict=True)
        ),
        spans=tuple(spans),
        truncated_from=truncated_from,
        notes=tuple(notes),
    )


def chat_ids(tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]]) -> list[int]:
    """Ids of a conversation in the model's own chat template, ready for its answer.

    Args:
        turns: (role, text) with role 'system', 'user' or 'assistant'. Markers of the template
            that are typed into a text are read as plain letters, never as turns.

    Raises:
        InputError: the model has no chat template, or there is nothing to answer.
    """
    if not tokenizer.chat_template:
        raise InputError("This model has no chat template", attempt="continue a plain text instead")
    if not turns or turns[-1][0] != "user":
        raise InputError("There is nothing to answer", needed="a last turn by the user")
    marks = [str(mark) for mark in tokenizer.all_special_tokens]
    messages = [
        {"role": role, "content": _without_marks(_readable(text)[0], marks)} for role, text in turns
    ]
    encoded = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True
    )
    return list(encoded["input_ids"])  # type: ignore[index]


def _without_marks(text: str, marks: list[str]) -> str:
    """Break markers by a zero-width space, so that a typed one is no turn."""
    for mark in marks:
        if len(mark) > 1:
            text = text.replace(mark, mark[0] + "\u200b" + mark[1:])
    return text


def tokens_of_ids(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> Tokens:
    """Tokens of ids as they are, for a text that a model wrote."""
    specials = set(tokenizer.all_special_ids)
    special = tuple(token in specials for token in ids)
    return Tokens(
        ids=tuple(ids),
        strings=tuple(_display(tokenizer, list(ids))),
        special=special,
        words=tuple(None if s else n for n, s in enumerate(special)),
    )


def _readable(text: Any) -> tuple[str, list[str]]:
    if not isinstance(text, str):
        raise InputError("The prompt is not a text", got=type(text).__name__, needed="str")
    notes = []
    readable, halves = SURROGATES.subn("\ufffd", text)
    if halves:
        notes.append(f"{halves:,} halves of characters (lone surrogates) are shown as \ufffd.")
    nulls = readable.count("\0")
    if nulls:
        readable = readable.replace("\0", "")
        notes.append(f"{nulls:,} NUL characters were left out.")
    if not readable.strip():
        raise InputError(
            "The prompt is empty" if not readable else "The prompt holds only white space",
            attempt="type a word or a sentence, or pick a sample",
        )
    return readable, notes


def _special_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> set[int]:
    """Ids that stand for no part of the text; "unknown" stands for one, unless it is typed."""
    ids = set(tokenizer.all_special_ids)
    if tokenizer.unk_token is not None and str(tokenizer.unk_token) not in text:
        ids.discard(tokenizer.unk_token_id)
    return ids


def _words(encoded: Any, count: int) -> list[int | None]:
    """Word index of each token; slow tokenizers know none, so each token is its own."""
    if getattr(encoded, "is_fast", False):
        return list(encoded.word_ids(0))
    return list(range(count))


def _spans(encoded: Any) -> list[tuple[int, int]]:
    """Characters of each token; slow tokenizers know none."""
    return list(encoded[0].offsets) if getattr(encoded, "is_fast", False) else []


def _cut(row: list, special: list[bool], limit: int, added: int) -> list:
    """The first entries; closing tokens that the tokenizer added, such as [SEP], stay last."""
    closing = 0
    while closing < min(added, len(special), limit) and special[-1 - closing]:
        closing += 1
    if len(row) <= limit:
        return row
    return row[: limit - closing] + row[len(row) - closing :]


def _display(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[str]:
    distinct = sorted(set(ids))
    pieces = tokenizer.convert_ids_to_tokens(distinct)
    shown = {
        token: _as_read(tokenizer, token, piece)
        for token, piece in zip(distinct, pieces, strict=True)
    }
    return [shown[token] for token in ids]


def _as_read(tokenizer: PreTrainedTokenizerBase, token: int, piece: str) -> str:
    if "▁" in piece:  # SentencePiece's mark for a space, which decoding would strip
        return piece.replace("▁", " ")
    if byte := BYTE_PIECE.fullmatch(piece):
        return f"⟨{byte.group(1).upper()}⟩"
    text = str(tokenizer.decode([token], clean_up_tokenization_spaces=False))
    if "\ufffd" in text and "\ufffd" not in piece:
        table = _byte_of_letter()
        if all(letter in table for letter in piece):
            partial = bytes(table[letter] for letter in piece)
            if partial.decode("utf-8", errors="ignore").encode() != partial:
                return "⟨" + " ".join(f"{byte:02X}" for byte in partial) + "⟩"
    return text or piece


def _byte_of_letter() -> dict[str, int]:
    """The alphabet in which byte-level BPE (GPT-2) writes the 256 bytes."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {chr(byte): byte for byte in plain}
    return table | {chr(256 + offset): byte for offset, byte in enumerate(others)}
