"""Fit a model's field: a stream of texts in, splats and their calibration out (design §2, §5)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.calibration import (
    CalibrationText,
    error_curves,
    fit_weights,
    relative_error,
)
from hsa.attention.reference import attend
from hsa.attention.spending import WAYS, sensible_reads, spend
from hsa.errors import InputError
from hsa.field.checkpoint import as_stored
from hsa.field.curves import ErrorCurves
from hsa.field.layer_field import stack
from hsa.field.model_field import ModelField, Source
from hsa.field.seeding import seed_field
from hsa.field.splat_field import SplatField
from hsa.field.statistics import KeyReservoir
from hsa.fitting.windows import first_tokens, windows
from hsa.hyperparameter import check_bounds, hyperparameter
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel

Progress = Callable[[str, float | None], None]
Probe = tuple[dict[int, Activations], Int[Tensor, " Q"], Source]
SHARES_READ = (1 / 128, 1 / 64, 1 / 42, 1 / 28, 1 / 20, 1 / 13.6, 1 / 10, 1 / 7, 1 / 4.5, 1 / 3)
STOPS = (0.6, 0.3, 0.15, 0.075, 0.0375, 0.019)


@dataclass(frozen=True)
class Text:
    """A named text."""

    name: str
    content: str

    def source(self, tokens: int) -> Source:
        return Source(self.name, hashlib.sha256(self.content.encode()).hexdigest(), tokens)


@dataclass(frozen=True)
class FitSettings:
    """How a field is fitted."""

    documents: int = hyperparameter(8, 1, 64, "splats", "Documents per key/value head")
    sections: int = hyperparameter(64, 1, 512, "splats", "Sections per key/value head")
    phrases: int = hyperparameter(640, 2, 8192, "splats", "Phrases per key/value head")
    positions: int = hyperparameter(8192, 64, 131072, "tokens", "longest window read")
    tokens_per_text: int = hyperparameter(10240, 64, 10**7, "tokens", "most read of each text")
    keys_kept: int = hyperparameter(32768, 256, 10**6, "keys", "sample kept per key/value head")
    rounds: int = hyperparameter(15, 1, 200, "rounds", "k-means rounds")
    calibration_tokens: int = hyperparameter(4096, 32, 131072, "tokens", "length calibrated on")
    queries: int = hyperparameter(32, 4, 1024, "queries", "calibration queries per text")
    seed: int = hyperparameter(0, 0, 2**31, "", "seed of sampling and k-means")

    def __post_init__(self) -> None:
        check_bounds(self)


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
    lengths = _lengths(min(settings.calibration_tokens, loaded.max_tokens), loaded.causal)
    temper, tilt, curves, calibrated_on = _calibrate(
        loaded, heads, calibration, lengths, settings, report
    )
    field = ModelField(
        model=loaded.name,
        fingerprint=loaded.fingerprint,
        positions=min(settings.positions, loaded.max_tokens),
        heads=heads,
        temper=temper,
        tilt=tilt,
        curves=curves,
        spending="per_head",
        spending_errors=(),
        fitted_on=fitted_on,
        calibrated_on=calibrated_on,
        seed=settings.seed,
    )
    report("Comparing the ways of spending reads on held texts", 0.95)
    errors, unrounded = held_errors(
        loaded, field, seeded, probes(loaded, held or calibration, lengths[-1], settings.queries)
    )
    best = min(errors, key=lambda row: row[1])[0]
    return FitReport(field.calibrated(spending=best, spending_errors=errors), unrounded)


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


def _lengths(longest: int, causal: bool) -> tuple[int, ...]:
    """Text lengths that reads are calibrated at, shortest first."""
    shorter = (128, 512) if causal else (64,)
    return (*(length for length in shorter if length < longest), longest)


def probes(
    loaded: LoadedModel,
    texts: Sequence[Text],
    length: int,
    queries: int,
) -> list[Probe]:
    """Capture the beginning of each text, with queries spread over its last part."""
    found = []
    for text in texts:
        tokens = first_tokens(loaded.tokenize(text.content), length)
        if len(tokens) < 24:
            raise InputError(
                "A calibration text is too short",
                got=f"{len(tokens)} tokens in {text.name}",
                needed="at least 24",
                attempt="choose a longer text",
            )
        last = min(256, len(tokens) // 2) if loaded.causal else len(tokens) - 2
        start = len(tokens) - last - (0 if loaded.causal else 1)
        chosen = torch.linspace(start, start + last - 1, min(queries, last)).round().long()
        found.append((capture(loaded, tokens), chosen, text.source(len(tokens))))
    return found


def _calibrate(
    loaded: LoadedModel,
    heads: tuple[tuple[SplatField, ...], ...],
    texts: Sequence[Text],
    lengths: Sequence[int],
    settings: FitSettings,
    report: Progress,
) -> tuple[Tensor, Tensor, tuple[ErrorCurves, ...], tuple[Source, ...]]:
    report("Capturing the calibration texts", 0.65)
    by_length = {length: probes(loaded, texts, length, settings.queries) for length in lengths}
    sources = tuple(source for _, _, source in by_length[lengths[-1]])
    tempers, tilts, curves = [], [], []
    groups = loaded.key_value_heads
    per_group = loaded.query_heads // groups
    for layer in range(loaded.layers):
        report(f"Calibrating layer {layer}", 0.7 + 0.25 * layer / loaded.layers)
        blank = torch.zeros(groups, per_group, 3)
        known = {
            length: [
                CalibrationText(captured[layer], queries, sensible_reads(length))
                for captured, queries, _ in found
            ]
            for length, found in by_length.items()
        }
        field = fit_weights(
            [text for texts_ in known.values() for text in texts_],
            stack(heads[layer], blank, blank),
        )
        tempers.append(field.temper.flatten(0, 1))
        tilts.append(field.tilt.flatten(0, 1))
        curves.append(
            [error_curves(known[length], field, reads_grid(length), STOPS) for length in lengths]
        )
    joined = tuple(join_layers([layer[n] for layer in curves]) for n in range(len(lengths)))
    return torch.stack(tempers), torch.stack(tilts), joined, sources


def reads_grid(tokens: int) -> list[int]:
    """Budgets that error curves are measured at."""
    return sorted({max(1, round(share * tokens)) for share in SHARES_READ})


def join_layers(curves: Sequence[ErrorCurves]) -> ErrorCurves:
    """Curves of a model [L, H] from those of its layers [H]."""

    def joined(name: str) -> Tensor:
        return torch.stack([getattr(layer, name) for layer in curves])

    first = curves[0]
    return ErrorCurves(
        first.tokens, first.reads, joined("error"), joined("oracle"),
        first.stop, joined("stop_reads"), joined("stop_error"), joined("scale"),
    )  # fmt: skip


def held_errors(
    loaded: LoadedModel,
    field: ModelField,
    unrounded: Sequence[Sequence[SplatField]],
    found: Sequence[Probe],
) -> tuple[tuple[tuple[str, float, float], ...], float]:
    """(way, mean relative error over heads, mean reads) of each way of spending; and the error
    of the first way that differs by head with unrounded splats.
    """
    errors = dict.fromkeys(WAYS, 0.0)
    reads = dict.fromkeys(WAYS, 0.0)
    exactly = 0.0
    share = 1 / (len(found) * loaded.layers)
    for captured, queries, _ in found:
        tokens = captured[0].tokens
        plans = {way: spend(field, sensible_reads(tokens), tokens, way) for way in WAYS}
        for number, activations in captured.items():
            wanted = exact.output(activations, exact.weights(activations, queries))
            layer = field.layer(number)
            for way in WAYS:
                result = attend(activations, layer, plans[way][number], queries)
                errors[way] += share * float(relative_error(result.output, wanted).mean())
                reads[way] += share * result.mean_reads
            precise = stack(unrounded[number], layer.temper, layer.tilt)
            result = attend(activations, precise, plans["per_head"][number], queries)
            exactly += share * float(relative_error(result.output, wanted).mean())
    return tuple((way, errors[way], reads[way]) for way in WAYS), exactly
