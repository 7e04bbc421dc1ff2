"""From a model, a field and texts to findings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hsa.field.model_field import ModelField
from hsa.memory.content import content_key
from hsa.models.cache import Progress
from hsa.models.loaded import LoadedModel
from hsa.specialization.claims import Claims, claims_of
from hsa.specialization.corpus import Corpus
from hsa.specialization.findings import FIGURES, Findings
from hsa.specialization.functions import FUNCTIONS, Kind
from hsa.specialization.layer_keys import LayerKeys
from hsa.specialization.layer_tally import LayerTally
from hsa.specialization.measure import measure

LAYERS_AT_ONCE = 10
"""Layers whose sums are held at a time: 60 MB each for nine heads of 720 splats."""


def specialise(
    loaded: LoadedModel,
    field: ModelField,
    corpus: Corpus,
    sources: Sequence[tuple[str, str]],
    layers: Sequence[int],
    progress: Progress | None = None,
) -> Findings:
    """Measure what the splats of some layers serve.

    Args:
        sources: name and sha256 of the corpus's texts.
    """
    parts, tests = [], 0
    for start in range(0, len(layers), LAYERS_AT_ONCE):
        now = layers[start : start + LAYERS_AT_ONCE]
        tallies = {layer: LayerTally.empty(field.layer(layer)) for layer in now}

        def take(layer: int, keys: LayerKeys, tallies: dict[int, LayerTally] = tallies) -> None:
            tallies[layer].add(keys)

        measure(loaded, field, corpus.passages, corpus.annotations, now, take, progress)
        for layer, tally in tallies.items():
            claimed = claims_of(tally)
            tests += sum(int(found.tests.sum()) for found, _, _ in claimed)
            parts.append(_columns(layer, tally, claimed))
    return Findings(
        model=loaded.name,
        field=content_key(field),
        corpus=tuple(sources),
        tokens=corpus.tokens,
        parsed=corpus.parsed,
        notes=corpus.notes,
        layers=tuple(layers),
        group=loaded.query_heads // loaded.key_value_heads,
        tests=tests,
        **{name: torch.cat([part[name] for part in parts]) for name in parts[0]},
    )


def _columns(
    layer: int, tally: LayerTally, claimed: Sequence[tuple[Claims, Kind, Sequence[int]]]
) -> dict[str, Tensor]:
    """The columns of a layer's claims.

    Args:
        claimed: claims with their kind and the places of their functions among the kind's.
    """
    parts: dict[str, list[Tensor]] = {}
    groups = tally.field.groups
    for found, kind, places in claimed:
        heads = len(found.tests)
        group = found.head // (heads // groups)
        offset = 0 if kind == "token" else len(FUNCTIONS["token"])
        columns = {
            "layer": torch.full_like(found.head, layer),
            "head": found.head,
            "splat_id": tally.field.splat_id[group, found.row],
            "level": tally.field.level[group, found.row],
            "function": torch.tensor(places, dtype=torch.long)[found.function] + offset,
            "figures": torch.stack([getattr(found, name) for name in FIGURES], dim=1),
        }
        for name, column in columns.items():
            parts.setdefault(name, []).append(column)
    return {name: torch.cat(column) for name, column in parts.items()}
