"""Tokens: one text as a model reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tokens:
    """The T tokens of one text, with what a reader needs to recognise them.

    Attributes:
        ids: vocabulary indices, in reading order.
        strings: each token as a reader would see it; a leading space stays a space, and a
            token that holds only part of a character is written as its bytes, "⟨F0 9F⟩".
        special: tokens that stand for no part of the text, such as [CLS] and [SEP].
        words: index of the word that each token belongs to; None for special tokens.
        spans: first character of each token in the text as read, and the one after its last; (0, 0)
            for special tokens. Empty where a tokenizer tells none.
        truncated_from: number of tokens before cutting to the model's limit, or None.
        notes: sentences for the reader about what was changed in the text.
    """

    ids: tuple[int, ...]
    strings: tuple[str, ...]
    special: tuple[bool, ...]
    words: tuple[int | None, ...]
    spans: tuple[tuple[int, int], ...] = ()
    truncated_from: int | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.strings), len(self.special), len(self.words)}
        lengths |= {len(self.spans)} if self.spans else set()
        assert len(lengths) == 1, "ids, strings, special, words and spans speak of the same tokens"

    def __len__(self) -> int:
        return len(self.ids)
