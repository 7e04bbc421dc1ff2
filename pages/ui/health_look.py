"""Doors to a layer's health, kept for all visitors of its field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.ui import engine, served
from pages.ui.waiting import Progress

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.health import LayerHealth

TOKENS = 20_000


def known(ready: engine.ReadyField, layer: int) -> LayerHealth | None:
    """What was found of a layer, if it was looked over."""
    return engine.kept_before(_key(ready, layer))


def look(
    loaded: LoadedModel, ready: engine.ReadyField, layer: int, progress: Progress
) -> LayerHealth:
    """Look a layer over on the reference texts.

    Raises:
        InputError: the layer cannot be read through the field, or the texts not by the model.
    """

    def make() -> LayerHealth:
        from hsa.specialization.health import LONGEST, layer_health
        from hsa.specialization.passages import passages

        texts = [text for _, text in served.reference_texts()]
        corpus = passages(loaded, texts, min(LONGEST, loaded.max_tokens), TOKENS)
        return layer_health(loaded, ready.field, corpus, layer, progress=progress)

    return engine.kept(_key(ready, layer), "Looking a layer over", make)


def _key(ready: engine.ReadyField, layer: int) -> tuple:
    return ("health", ready.identity, layer)
