"""A field for one layer over more positions than the model reads."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from hsa.activations import Activations
from hsa.attention.block_plan import SINKS
from hsa.attention.calibration import START_TEMPER
from hsa.errors import InputError
from hsa.evaluation.long_keys import moved
from hsa.evaluation.rotary import Rotary
from hsa.field.layer_field import LayerField, stack
from hsa.field.seeding import seed_field
from hsa.field.statistics import KeyReservoir
from hsa.fitting.settings import FitSettings


def fit_long_field(
    text: Activations, tokens: int, rotary: Rotary, settings: FitSettings
) -> LayerField:
    """Splats of one layer for positions 0 … tokens-1.

    The text is cut into stretches of `tokens`, each moved to the positions from 0 on; keys are
    sampled and seeded as in every fit. Blocked attention has no tilt, and every temper stays
    where calibration starts: choosing one per head by its error, at 16,384 tokens, left as much.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    reservoir = KeyReservoir(settings.keys_kept, generator, skip=SINKS)
    for stretch in _stretches(text, tokens, rotary):
        reservoir.add(stretch)
    splats = (settings.documents, settings.sections, settings.phrases)
    fields = [
        seed_field(keys, moment, splats, generator, settings.rounds)
        for keys, moment in zip(reservoir.sample(), reservoir.query_moment(), strict=True)
    ]
    temper = torch.full((len(fields), text.group, 3), START_TEMPER)
    return stack(fields, temper, torch.zeros_like(temper))


def _stretches(text: Activations, tokens: int, rotary: Rotary) -> Iterator[Activations]:
    if text.tokens < tokens:
        raise InputError(
            "There is too little text to fit a field",
            got=f"{text.tokens:,} tokens",
            needed=f"{tokens:,} tokens, the longest text measured",
            attempt="name more texts to fit on",
        )
    new = torch.arange(tokens, device=text.q.device)
    for start in range(0, text.tokens - tokens + 1, tokens):
        yield moved(text.part(slice(start, start + tokens)), rotary, start + new, new)
