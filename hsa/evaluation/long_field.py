"""A field for one layer over more positions than the model reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from hsa.activations import Activations
from hsa.attention.block_plan import SINKS, BlockPlan
from hsa.attention.blocked import blocked_attention
from hsa.attention.calibration import TEMPERS
from hsa.errors import InputError
from hsa.evaluation.blocked_error import head_errors, sampled_queries
from hsa.evaluation.long_keys import activation_slice, moved
from hsa.evaluation.rotary import Rotary
from hsa.field.layer_field import LayerField, stack
from hsa.field.seeding import seed_field
from hsa.field.statistics import KeyReservoir
from hsa.fitting.settings import FitSettings


def fit_long_field(
    text: Activations, tokens: int, rotary: Rotary, settings: FitSettings, plan: BlockPlan
) -> LayerField:
    """Splats of one layer for positions 0 … tokens-1, and a temper for each head.

    The text is cut into stretches of `tokens`, each moved to the positions from 0 on; keys are
    sampled and seeded as in every fit. Blocked attention has no tilt; of the tempers it takes,
    for each query head, the one of `TEMPERS` that leaves the least error on the first stretch.
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
    blank = torch.zeros(len(fields), text.group, 3)
    return best_tempers(next(_stretches(text, tokens, rotary)), stack(fields, blank, blank), plan)


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
        yield moved(activation_slice(text, slice(start, start + tokens)), rotary, start + new, new)


def best_tempers(text: Activations, field: LayerField, plan: BlockPlan) -> LayerField:
    """The field with the temper of each query head that leaves the least error on a text."""
    queries = sampled_queries(text.tokens)
    errors = []
    for temper in TEMPERS:
        tried = replace(field, temper=torch.full_like(field.temper, temper))
        result = blocked_attention(text.q, text.k, text.v, text.scaling, tried, plan, keep=True)
        errors.append(head_errors(text, result, plan, queries).hsa)
    best = torch.tensor(TEMPERS)[torch.stack(errors).argmin(0)]
    return replace(field, temper=best.view(field.groups, -1, 1).expand_as(field.temper).clone())
