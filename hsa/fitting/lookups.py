"""Texts that must be looked up in: random strings hidden in noise and asked for at its end."""

from __future__ import annotations

from dataclasses import replace

import torch

from hsa.tokens import Tokens

STRING = 12
"""Tokens of one string."""

ASKED = 240
"""Tokens at the end of a text that repeat strings, no more than a quarter of it."""

NOISE = 32
"""Tokens of the text, from its middle on, that are repeated over and over between the strings."""


def lookups(tokens: Tokens, generator: torch.Generator) -> Tokens:
    """As long a text of the given one's tokens: strings in noise, repeated in another order.

    Prose seldom makes a model look a single token up, and what reads buy there says nothing of
    the queries that do. In noise all else is alike, so that splats hold many keys.
    """
    count = len(tokens)
    strings = min(ASKED, count // 4) // STRING
    if strings == 0:
        return tokens
    drawn = torch.randint(count, (strings, STRING), generator=generator).tolist()
    order = torch.randperm(strings, generator=generator).tolist()
    filler = count - 2 * strings * STRING
    place: list[int] = []
    for number, string in enumerate(drawn):
        begin, end = number * filler // strings, (number + 1) * filler // strings
        place += [(count // 2 + at % NOISE) % count for at in range(begin, end)]
        place += string
    for number in order:
        place += drawn[number]

    def picked(values: tuple) -> tuple:
        return tuple(values[at] for at in place)

    return replace(
        tokens, ids=picked(tokens.ids), strings=picked(tokens.strings),
        special=picked(tokens.special), words=picked(tokens.words), truncated_from=None,
    )  # fmt: skip
