"""The heads of a layer looked over on reference texts, with other texts held to judge edits on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from hsa.activations import Activations
from hsa.adaptation.held import Probe, probe
from hsa.adaptation.observe import Observation, observe
from hsa.attention.spending import sensible_reads, spend
from hsa.field.model_field import ModelField
from hsa.field.splat_field import SplatField
from hsa.models.cache import Progress
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.specialization.diagnosis import MEANINGS, Checkup, DiagnosisSettings, checkup
from hsa.specialization.measure import places
from hsa.specialization.passages import Passage

QUERIES = 48
"""Queries of each text that HSA is compared with exact attention at, spread over it."""

LONGEST = 4096
"""Tokens of the longest passage read: what the fields' calibration read."""


@dataclass(frozen=True)
class LayerHealth:
    """A layer's key/value heads, and the texts that edits of them are judged on.

    Attributes:
        heads: what the first half of the texts says of each.
        held: the second half, with queries and what exact attention answers them.
        tokens: read of the first half; `positions` those of its longest passage.
    """

    layer: int
    heads: tuple[Checkup, ...]
    held: tuple[Probe, ...]
    tokens: int
    positions: int

    def rows(self) -> list[dict[str, Any]]:
        """One row a head: its error and how many flags of each kind."""
        found = []
        for group, head in enumerate(self.heads):
            counts = Counter(flag.kind for flag in head.flags)
            found.append(
                {"layer": self.layer, "key/value head": group,
                 "error": max(head.error), "splats": head.field.splats}
                | {kind: counts[kind] for kind in MEANINGS}
            )  # fmt: skip
        return found


def layer_health(
    loaded: LoadedModel,
    field: ModelField,
    corpus: Sequence[Passage],
    layer: int,
    settings: DiagnosisSettings | None = None,
    progress: Progress | None = None,
) -> LayerHealth:
    """Read every passage up to this layer, and look its heads over."""
    chosen = settings or DiagnosisSettings()
    own = field.layer(layer)
    seen: list[list[Observation]] = []
    held: list[Probe] = []
    first = [place.half == 0 for place in places(corpus)]
    for at, (passage, learns) in enumerate(zip(corpus, first, strict=True)):
        if progress is not None:
            progress(f"Layer {layer}: text {at + 1} of {len(corpus)}", at / len(corpus))
        count = len(passage.tokens)
        spending = spend(field, sensible_reads(count), count)[layer]
        queries = _spread(count)

        def take(
            _: int, given: Activations, learns: bool = learns, spending=spending, queries=queries
        ) -> None:
            if learns:
                seen.append(observe(given, field.heads[layer], own, spending, queries))
            else:
                held.append(probe(given, own, spending, queries))

        capture(loaded, passage.tokens, [layer], take)
    heads = tuple(
        checkup(head, [one[group] for one in seen], chosen)
        for group, head in enumerate(field.heads[layer])
    )
    read = [len(p.tokens) for p, learns in zip(corpus, first, strict=True) if learns]
    return LayerHealth(layer, heads, tuple(held), sum(read), max(read))


def _spread(tokens: int) -> Int[Tensor, " Q"]:
    """Queries from the text's first quarter on."""
    return torch.linspace(tokens // 4, tokens - 1, min(QUERIES, tokens)).long().unique()


def with_head(field: ModelField, layer: int, group: int, head: SplatField) -> ModelField:
    """The field with one key/value head in place of another."""
    heads = list(field.heads[layer])
    heads[group] = head
    layers = list(field.heads)
    layers[layer] = tuple(heads)
    return replace(field, heads=tuple(layers))
