"""The words of a passage: what the parser says of each, and which tokens are whose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from hsa.specialization.passages import Passage

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

ENGLISH_AT_LEAST = 0.2
"""Share of a text's words that are English function words; English prose has near a half."""

_ENDS = re.compile(r"""[.!?]["'”’)\]]*\s|\n\s*\n""")


@dataclass(frozen=True)
class Words:
    """W words of a passage, and the word of each of its T tokens.

    Attributes:
        word: place of each token's word; -1 for white space and special tokens.
        sentence: number of the sentence that each token stands in.
        tag, dependency, entity: of each word, as the parser names them; empty strings where
            nothing was parsed.
        head: the word that each word depends on; its own place for a sentence's root.
        dated: words of an expression of time that can be resolved to a date or a time.
    """

    word: Int[Tensor, " T"]
    sentence: Int[Tensor, " T"]
    tag: tuple[str, ...]
    dependency: tuple[str, ...]
    entity: tuple[str, ...]
    head: Int[Tensor, " W"]
    dated: Bool[Tensor, " W"]

    @property
    def parsed(self) -> bool:
        """Whether the parser has read it."""
        return any(self.dependency)


def surface_words(passage: Passage) -> Words:
    """Words as the tokenizer splits them, sentences by their closing marks; nothing parsed."""
    tokens = passage.tokens
    places = {word: at for at, word in enumerate(dict.fromkeys(w for w in tokens.words))}
    places[None] = -1
    word = torch.tensor([places[w] for w in tokens.words])
    starts = np.array([match.end() for match in _ENDS.finditer(passage.text)], dtype=np.int64)
    at = np.array([first_letter(passage.text, span) for span in tokens.spans])
    count = int(word.max()) + 1 if len(tokens) else 0
    return Words(
        word=word,
        sentence=torch.from_numpy(np.searchsorted(starts, at, side="right")),
        tag=("",) * count, dependency=("",) * count, entity=("",) * count,
        head=torch.arange(count), dated=torch.zeros(count, dtype=torch.bool),
    )  # fmt: skip


def parsed_words(passage: Passage, doc: Doc) -> Words:
    """Words as the parser reads them."""
    of_character = np.full(len(passage.text) + 1, -1, dtype=np.int64)
    sentence_of = np.zeros(max(len(doc), 1), dtype=np.int64)
    for number, sentence in enumerate(doc.sents):
        sentence_of[sentence.start : sentence.end] = number
    # White space that the parser counts as a word belongs to the sentence, and is no word.
    for entry in doc:
        of_character[entry.idx : entry.idx + len(entry)] = entry.i
    at = np.array([first_letter(passage.text, span) for span in passage.tokens.spans])
    nearest = _filled(of_character)[at]
    word = of_character[at]
    space = np.array([entry.is_space for entry in doc] + [True])
    word = np.where(space[word], -1, word)
    word[np.array(passage.tokens.special, dtype=bool)] = -1
    dated = torch.zeros(len(doc), dtype=torch.bool)
    for entity in doc.ents:
        if entity.label_ in ("DATE", "TIME") and resolves(entity.text):
            dated[entity.start : entity.end] = True
    return Words(
        word=torch.from_numpy(word),
        sentence=torch.from_numpy(sentence_of[nearest]),
        tag=tuple(entry.pos_ for entry in doc),
        dependency=tuple(entry.dep_ for entry in doc),
        entity=tuple(entry.ent_type_ for entry in doc),
        head=torch.tensor([entry.head.i for entry in doc], dtype=torch.long),
        dated=dated,
    )


def english_share(parser: Language, text: str) -> float:
    """Share of the words of a text's beginning that are English function words."""
    words = [entry for entry in parser.make_doc(text[:20_000]) if entry.is_alpha]
    return sum(entry.is_stop for entry in words) / max(1, len(words))


@lru_cache(maxsize=20_000)
def resolves(expression: str) -> bool:
    """Whether an expression of time names a date or a time: "today", "1971", not "the years".

    Asked of what the parser takes for temporal alone: a search through running text takes "we"
    for Wednesday.
    """
    try:
        import dateparser
    except ImportError:
        return False
    return dateparser.parse(expression[:80], languages=["en"]) is not None


def first_letter(text: str, span: tuple[int, int]) -> int:
    """The first character of a token that is not white space, or its first one."""
    start, stop = span
    for at in range(start, stop):
        if not text[at].isspace():
            return at
    return start


def _filled(of_character: np.ndarray) -> np.ndarray:
    """Every character's word, or the last one before it."""
    known = np.where(of_character >= 0, np.arange(of_character.size), 0)
    return of_character[np.maximum.accumulate(known)].clip(min=0)
