"""Doors to the engine for the splats of one key/value head in the visitor's prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.ui import engine
from pages.ui.case import Case

if TYPE_CHECKING:
    import torch

    from hsa.explanation.splat_use import SplatUse
    from pages.ui.waiting import Progress

MOST_FOR_ERROR = 2048
"""Tokens of a text for which errors are measured: every pair of tokens is looked at."""
MOST_WORDS = 4
LONGEST_WORD = 18


def splat_use(asked: Case, layer: int, group: int, progress: Progress) -> SplatUse:
    """Which keys each splat of a key/value head holds, and what these receive."""

    def make() -> SplatUse:
        from dataclasses import replace

        from hsa.explanation.splat_use import splat_use as use

        given = asked.activations(layer, progress)
        heads = slice(group * given.group, (group + 1) * given.group)
        one = slice(group, group + 1)
        own = replace(given, q=given.q[heads], k=given.k[one], v=given.v[one])
        return use(own, asked.ready.field.layer(layer).group(group))

    key = ("splat-use", asked.loaded.fingerprint, asked.ready.identity, asked.tokens.ids,
           layer, group)  # fmt: skip
    return engine.kept(key, "Splats in this prompt", make)


def splat_errors(asked: Case, layer: int, head: int, progress: Progress) -> torch.Tensor:
    """What HSA's weights moved the outputs of one query head by, splat by splat."""

    def make() -> torch.Tensor:
        from hsa.attention.views import into_layer
        from hsa.explanation.splat_use import splat_errors as errors

        given = asked.activations(layer, progress)
        group, member = divmod(head, given.group)
        field = asked.ready.field.layer(layer).group(group, slice(member, member + 1))
        framed = into_layer(given.head(head), field)
        result = asked.head_result(layer, head, progress)
        use = splat_use(asked, layer, group, progress)
        return errors(result, framed, use.key_row, len(use.keys))

    key = ("splat-errors", asked.ready.identity, layer, head, *asked.key)
    return engine.kept(key, "Errors of splats", make)


def splat_words(asked: Case, layer: int, group: int, progress: Progress) -> tuple[str, ...]:
    """The tokens that each splat holds, those that receive most attention first, in few words."""

    def make() -> tuple[str, ...]:
        from hsa.figures.token_label import token_label

        use = splat_use(asked, layer, group, progress)
        found: list[list[str]] = [[] for _ in range(len(use.keys))]
        rows = use.key_row.tolist()
        for key in use.received.argsort(descending=True).tolist():
            word = token_label(asked.tokens.strings[key])[:LONGEST_WORD]
            for row in rows[key]:
                if len(found[row]) < MOST_WORDS and word not in found[row]:
                    found[row].append(word)
        return tuple(" · ".join(words) for words in found)

    key = ("splat-words", asked.loaded.fingerprint, asked.ready.identity, asked.tokens.ids,
           layer, group)  # fmt: skip
    return engine.kept(key, "Splats in this prompt", make)
