"""What adapting costs beside the model's own forward passes over the same texts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from hsa.activations import Activations
from hsa.adaptation.settings import AdaptationSettings
from hsa.errors import InputError
from hsa.field.model_field import ModelField
from hsa.fitting.adapt import Adaptation, Which
from hsa.fitting.settings import Text
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel


@dataclass(frozen=True)
class AdaptationCost:
    """Seconds over all texts: forward passes alone, and evidence, proposals and judgements."""

    texts: int
    tokens: int
    forward_seconds: float
    adapting_seconds: float
    events: int

    @property
    def share(self) -> float:
        """Of the forward passes' time."""
        return self.adapting_seconds / self.forward_seconds


def adaptation_cost(
    loaded: LoadedModel,
    field: ModelField,
    texts: Sequence[Text],
    settings: AdaptationSettings,
    which: Which,
) -> tuple[AdaptationCost, Adaptation]:
    """Time both in turn, text by text, so that a machine that slows down slows both; the cost, and
    the run as it ended.

    The forward passes are the model's own under standard attention, up to the keys of its last
    layer: a little less than a whole pass, so that the share comes out a little high.
    """
    run = Adaptation(loaded, field, which, settings)
    forward = adapting = 0.0
    tokens_read = 0
    for text in texts:
        tokens = first_tokens(loaded.tokenize(text.content), settings.tokens_per_text)
        if len(tokens) < settings.tokens_per_text:
            raise InputError(
                f"{text.name} is too short", got=f"{len(tokens)} tokens",
                needed=f"{settings.tokens_per_text} tokens", attempt="join texts",
            )  # fmt: skip
        given: dict[int, Activations] = {}
        start = time.perf_counter()
        capture(loaded, tokens, [loaded.layers - 1], lambda layer, a: None)
        forward += time.perf_counter() - start
        capture(loaded, tokens, sorted(run.layers), given.__setitem__)
        start = time.perf_counter()
        for layer, activations in given.items():
            run.layers[layer].read(activations)
        adapting += time.perf_counter() - start
        tokens_read += len(tokens)
    events = sum(layer.events for layer in run.layers.values())
    return AdaptationCost(len(texts), tokens_read, forward, adapting, events), run
