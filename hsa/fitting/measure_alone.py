"""What reads buy in a model whose queries open for themselves, once its field is there."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hsa.activations import Activations
from hsa.attention.block_plan import blocks_for
from hsa.attention.own_calibration import own_curves
from hsa.attention.spending import sensible_everything
from hsa.field.curves import OwnCurves
from hsa.field.model_field import ModelField
from hsa.fitting.calibrate import calibration_lengths
from hsa.fitting.lookups import lookups
from hsa.fitting.settings import Progress, Text
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel

SHARES_READ = (1 / 64, 1 / 48, 1 / 36, 1 / 27, 1 / 20, 1 / 15, 1 / 11, 1 / 8, 0.18, 0.25, 0.4, 0.65)


def measure_alone(
    loaded: LoadedModel,
    field: ModelField,
    texts: Sequence[Text],
    longest: int,
    report: Progress,
) -> tuple[OwnCurves, ...]:
    """Curves at every calibration length up to `longest`; splats and weights stay as they are.

    A causal model also looks random strings of the first text up in noise.
    """
    lengths = calibration_lengths(min(longest, loaded.max_tokens), loaded.causal)
    return tuple(_at_length(loaded, field, texts, length, report) for length in lengths)


def _at_length(
    loaded: LoadedModel, field: ModelField, texts: Sequence[Text], length: int, report: Progress
) -> OwnCurves:
    """One layer of one text stands in memory at a time."""
    plan = blocks_for(sensible_everything(length), loaded.causal)
    grid = sorted({max(1, round(share * length)) for share in SHARES_READ})
    read = [first_tokens(loaded.tokenize(text.content), length) for text in texts]
    if loaded.causal:
        read.append(lookups(read[0], torch.Generator().manual_seed(field.seed)))
    errors = torch.zeros(len(read), loaded.layers, loaded.query_heads, len(grid))
    for number, tokens in enumerate(read):

        def measure(layer: int, given: Activations, number: int = number) -> None:
            report(f"What reads buy in {length} tokens, layer {layer}", None)
            errors[number, layer] = own_curves([given], field.layer(layer), plan, grid).error

        capture(loaded, tokens, consumer=measure)
    return OwnCurves(length, torch.tensor(grid), errors.mean(0))
