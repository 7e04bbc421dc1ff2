"""What splats hold beyond the prompt: keys of a reference corpus, in their sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.exact import weights
from hsa.field.layer_field import LayerField
from hsa.field.routing import key_paths
from hsa.models.cache import Progress
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.specialization.excerpts import passages as stretches
from hsa.specialization.layer_keys import SINKS
from hsa.specialization.passages import Passage


@dataclass(frozen=True)
class ReferencePassage:
    """One passage in one layer.

    Attributes:
        row: Document, Section and Phrase row of every key.
        received: share of all attention of each query head that each key receives.
        given: share of its own row that each token gives, as a query, to the keys of its own
            Document, Section and Phrase.
    """

    source: int
    strings: tuple[str, ...]
    row: Int[Tensor, "G T 3"]
    received: Float[Tensor, "H T"]
    given: Float[Tensor, "H T 3"]


@dataclass(frozen=True)
class Excerpt:
    """A stretch of a text around a token that the splat holds.

    Attributes:
        before, token, after: the stretch as it reads.
        received: share of all attention of the head in its passage that the token receives.
        given: share of the token's own row, as a query, that goes to keys of the splat.
    """

    source: int
    position: int
    before: str
    token: str
    after: str
    received: float
    given: float


def reference_keys(
    loaded: LoadedModel,
    field: LayerField,
    corpus: Sequence[Passage],
    layer: int,
    progress: Progress | None = None,
) -> tuple[ReferencePassage, ...]:
    """Read the corpus once; any splat of the layer can then be looked up."""
    found: list[ReferencePassage] = []
    for at, passage in enumerate(corpus):
        if progress is not None:
            progress(f"Reading reference text {at + 1} of {len(corpus)}", at / len(corpus))

        def take(_: int, given: Activations, passage: Passage = passage) -> None:
            weight, row = weights(given), key_paths(field, given.k)
            found.append(
                ReferencePassage(
                    passage.source, passage.tokens.strings, row, weight.sum(1) / given.tokens,
                    _given(weight, row),
                )
            )  # fmt: skip

        capture(loaded, passage.tokens, [layer], take)
    return tuple(found)


def _given(weight: Float[Tensor, "H T T"], row: Int[Tensor, "G T 3"]) -> Float[Tensor, "H T 3"]:
    """What each token gives to the keys that lie in the same splats as itself."""
    grouped = weight.unflatten(0, (row.shape[0], -1))
    levels = []
    for level in row.unbind(-1):
        same = level.unsqueeze(2) == level.unsqueeze(1)
        levels.append((grouped * same.unsqueeze(1)).sum(-1).flatten(0, 1))
    return torch.stack(levels, dim=-1)


def excerpts(
    reference: Sequence[ReferencePassage], group: int, head: int, row: int, most: int
) -> tuple[int, list[Excerpt]]:
    """How many keys of the corpus a splat holds, and those that receive most in their sentences.

    The first tokens of a passage, where attention is dumped, are left out as in the findings.

    Args:
        row: of the splat in its field.
    """
    held: list[tuple[float, int, int, int]] = []
    for number, passage in enumerate(reference):
        for at, level in (passage.row[group] == row).nonzero().tolist():
            if at >= SINKS:
                held.append((float(passage.received[head, at]), number, at, level))
    held.sort(key=lambda one: (-one[0], *one[1:]))
    found = []
    for received, number, at, level in held[:most]:
        strings = reference[number].strings
        (stretch,) = stretches(strings, [at])
        found.append(
            Excerpt(
                reference[number].source, at, "".join(strings[stretch.start : at]), strings[at],
                "".join(strings[at + 1 : stretch.stop]), received,
                float(reference[number].given[head, at, level]),
            )
        )  # fmt: skip
    return len(held), found
