"""Fit a model's field: a stream of texts in, splats and their calibration out (design §2, §5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hsa.errors import InputError
from hsa.field.model_field import ModelField, Source
from hsa.field.seeding import seed_field
from hsa.field.splat_field import SplatField
from hsa.field.statistics import KeyReservoir
from hsa.field.stored_head import as_stored
from hsa.fitting.calibrated import calibrated
from hsa.fitting.settings import FitSettings, Progress, Text
from hsa.fitting.windows import windows
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel


@dataclass(frozen=True)
class FitReport:
    """A fitted field, and what storing it in few bits costs.

    `unrounded_error` is the mean error with reads per head that the same splats would leave on
    the held texts in full precision; `field.spending_errors` holds that of the stored ones.
    """

    field: ModelField
    unrounded_error: float


def fit(
    loaded: LoadedModel,
    texts: Sequence[Text],
    calibration: Sequence[Text],
    held: Sequence[Text],
    settings: FitSettings,
    progress: Progress | None = None,
) -> FitReport:
    """Fit, calibrate, and choose the way of spending reads on held texts.

    Args:
        texts: streamed window by window; only a sample of keys is kept.
        calibration: tempers, tilts and error curves come from these.
        held: neither fitted nor calibrated on; they choose between the ways of spending.
    """
    report = progress or (lambda sentence, fraction: None)
    generator = torch.Generator().manual_seed(settings.seed)
    reservoirs, fitted_on = _read(loaded, texts, settings, generator, report)
    seeded = _seed(reservoirs, settings, generator, report)
    heads = tuple(tuple(as_stored(head) for head in layer) for layer in seeded)
    blank = torch.zeros(loaded.layers, loaded.query_heads, 3)
    field = ModelField(
        model=loaded.name,
        fingerprint=loaded.fingerprint,
        positions=min(settings.positions, loaded.max_tokens),
        heads=heads,
        temper=blank,
        tilt=blank,
        curves=(),
        spending="per_head",
        spending_errors=(),
        fitted_on=fitted_on,
        calibrated_on=(),
        seed=settings.seed,
    )
    return FitReport(*calibrated(loaded, field, seeded, calibration, held, settings, report))


def _read(
    loaded: LoadedModel,
    texts: Sequence[Text],
    settings: FitSettings,
    generator: torch.Generator,
    report: Progress,
) -> tuple[dict[int, KeyReservoir], tuple[Source, ...]]:
    sinks = 4 if loaded.causal else 0
    reservoirs = {
        layer: KeyReservoir(settings.keys_kept, generator, skip=sinks)
        for layer in range(loaded.layers)
    }
    window = min(settings.positions, loaded.max_tokens)
    sources = []
    for number, text in enumerate(texts):
        read = 0
        for tokens in windows(loaded, text.content, window, settings.tokens_per_text):
            report(f"Reading {text.name}: {read:,} tokens", 0.5 * number / len(texts))
            capture(loaded, tokens, consumer=lambda layer, a: reservoirs[layer].add(a))
            read += len(tokens)
        sources.append(text.source(read))
    seen = reservoirs[0].seen
    if seen < settings.phrases:
        raise InputError(
            "The texts are too short to fit a field",
            got=f"{seen} tokens in {len(texts)} texts",
            needed=f"at least one token for each of {settings.phrases} Phrases",
            attempt="give more text, or fewer splats",
        )
    return reservoirs, tuple(sources)


def _seed(
    reservoirs: dict[int, KeyReservoir],
    settings: FitSettings,
    generator: torch.Generator,
    report: Progress,
) -> tuple[tuple[SplatField, ...], ...]:
    splats = (settings.documents, settings.sections, settings.phrases)
    heads = []
    for layer, reservoir in reservoirs.items():
        report(f"Seeding splats, layer {layer}", 0.5 + 0.15 * layer / len(reservoirs))
        moment = reservoir.query_moment()
        heads.append(
            tuple(
                seed_field(keys, m, splats, generator, settings.rounds)
                for keys, m in zip(reservoir.sample(), moment, strict=True)
            )
        )
    return tuple(heads)
