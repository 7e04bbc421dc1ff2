"""Haystacks: numbers hidden in noise, and the questions that ask for them (RULER's needles)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hsa.errors import InputError
from hsa.models.loaded import LoadedModel

NOISE = (
    " The grass is green.", " The sky is blue.", " The sun is yellow.", " Here we go.",
    " There and back again.",
)  # fmt: skip
"""The noise of RULER's first needle task (Hsieh et al., 2024), repeated without end."""

INTRODUCTION = (
    "Some special magic numbers are hidden within the following text. Make sure to memorize it. "
    "I will quiz you about the numbers afterwards.\n"
)
NEEDLE = " The {thing} for {key} is {value}."
QUESTION = "\nThe {thing} for {key} is"
THINGS = (
    "special magic number", "pass key", "phone number", "room number", "account number",
    "telephone code", "serial number", "lucky number", "ticket number", "postal code",
    "license number", "door code",
)  # fmt: skip
"""Needles of one haystack name these in turn, so that a small model does not confuse them."""

DIGITS = 5

KEYS = (
    "amber", "anchor", "apple", "arrow", "basket", "beacon", "bishop", "blanket", "bottle",
    "branch", "bridge", "button", "candle", "canyon", "carpet", "castle", "cellar", "cherry",
    "circle", "copper", "cotton", "cradle", "dagger", "desert", "dragon", "eagle", "ember",
    "falcon", "feather", "fiddle", "forest", "garden", "ginger", "glacier", "hammer", "harbor",
    "harvest", "helmet", "island", "jacket", "jungle", "kettle", "ladder", "lantern", "lemon",
    "lobster", "magnet", "maple", "marble", "meadow", "mirror", "mountain", "needle", "onion",
    "orchard", "oyster", "paper", "pepper", "pillow", "pirate", "planet", "pocket", "puzzle",
    "rabbit", "ribbon", "river", "rocket", "saddle", "sailor", "salmon", "shadow", "silver",
    "spider", "spoon", "stable", "statue", "stone", "summer", "table", "temple", "thunder", "tiger",
    "timber", "tower", "trumpet", "tunnel", "turtle", "valley", "velvet", "violin", "wagon",
    "walnut", "whistle", "willow", "window", "winter", "wizard", "yellow",
)  # fmt: skip


@dataclass(frozen=True)
class Needle:
    """One hidden number, where it lies in the haystack, and the question for it.

    Attributes:
        begin, end: its first token and the one after its last.
        answer: tokens that go on from the question; some tokenizers emit a bare space first.
        scored: which of them hold digits. The others are given.
    """

    key: str
    value: str
    begin: int
    end: int
    question: tuple[int, ...]
    answer: tuple[int, ...]
    scored: tuple[bool, ...]


@dataclass(frozen=True)
class Haystack:
    """A text with needles at spread depths, each asked for at its end."""

    ids: tuple[int, ...]
    needles: tuple[Needle, ...]


def sentences_of(text: str, words: int = 24) -> tuple[str, ...]:
    """Sentences of a text, to hide needles between; those of more words are cut."""
    sentences = (part.split() for part in re.split(r"(?<=[.!?])\s+", text))
    return tuple(
        " " + " ".join(sentence[at : at + words])
        for sentence in sentences
        for at in range(0, len(sentence), words)
    )


def haystack(
    loaded: LoadedModel,
    tokens: int,
    needles: int,
    outside: int,
    generator: torch.Generator,
    sentences: Sequence[str] = NOISE,
) -> Haystack:
    """A text that fills `tokens` tokens together with the longest question and its answer.

    Args:
        outside: keys that lie between the end of a needle and the first query of a question,
            at least.
        sentences: read from the first on, over and over; from anywhere if they are no noise.

    Raises:
        InputError: so many needles do not fit so far from the end.
    """
    if not 1 <= needles <= len(KEYS):
        raise InputError("A haystack cannot hold these needles", got=f"{needles} needles",
                         needed=f"1 to {len(KEYS)}, the keys there are")  # fmt: skip
    order = torch.randperm(len(KEYS), generator=generator)[:needles].tolist()
    digits = torch.randint(10, (needles, DIGITS), generator=generator).tolist()
    keys = [KEYS[n] for n in order]
    things = [THINGS[n % len(THINGS)] for n in range(needles)]
    values = ["".join(map(str, row)) for row in digits]
    hidden = [
        _ids(loaded, NEEDLE.format(thing=t, key=k, value=v))
        for t, k, v in zip(things, keys, values, strict=True)
    ]
    questions = [
        _ids(loaded, QUESTION.format(thing=t, key=k)) for t, k in zip(things, keys, strict=True)
    ]
    answers = [_ids(loaded, f" {v}") for v in values]
    room = tokens - max(len(q) + len(a) for q, a in zip(questions, answers, strict=True))
    pieces = [piece for piece in (_ids(loaded, s) for s in sentences) if piece]
    longest = max(map(len, pieces))
    far = room - outside - 2 * longest - max(map(len, hidden))
    if sum(map(len, hidden)) + needles * longest > far:
        raise InputError(
            "The needles do not fit outside of what is read as near",
            got=f"{needles} needles in {tokens} tokens, {outside} of them near the questions",
            needed=f"{longest} tokens and more between two needles",
            attempt="a longer text, fewer needles in it, or fewer reads",
        )
    start = 0 if sentences is NOISE else int(torch.randint(len(pieces), (), generator=generator))
    spread = torch.arange(needles) + torch.rand(needles, generator=generator)
    wanted = (spread * far / needles).tolist()
    ids = _opening(loaded) + _ids(loaded, INTRODUCTION)
    begins: list[int] = []
    while True:
        if len(begins) < needles and len(ids) >= wanted[len(begins)]:
            begins.append(len(ids))
            ids += hidden[len(begins) - 1]
            continue
        piece = pieces[start % len(pieces)]
        if len(ids) + len(piece) > room:
            break
        ids += piece
        start += 1
    return Haystack(
        tuple(ids),
        tuple(
            Needle(k, v, b, b + len(h), tuple(q), tuple(a), _digits(loaded, a))
            for k, v, b, h, q, a in zip(
                keys, values, begins, hidden, questions, answers, strict=True
            )
        ),
    )


def _ids(loaded: LoadedModel, text: str) -> list[int]:
    return list(loaded.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _opening(loaded: LoadedModel) -> list[int]:
    """Special tokens that the model expects before a text."""
    tokens = loaded.tokenize("a")
    first = tokens.special.index(False)
    return list(tokens.ids[:first])


def _digits(loaded: LoadedModel, ids: Sequence[int]) -> tuple[bool, ...]:
    return tuple(any(c.isdigit() for c in str(loaded.tokenizer.decode([i]))) for i in ids)
