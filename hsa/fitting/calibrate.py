"""Calibrate seeded splats on texts, and judge the ways of spending reads on others."""

from __future__ import annotations

from collections.abc import Sequence

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
from hsa.field.curves import ErrorCurves
from hsa.field.layer_field import stack
from hsa.field.model_field import ModelField, Source
from hsa.field.splat_field import SplatField
from hsa.fitting.settings import FitSettings, Progress, Text
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel

Probe = tuple[dict[int, Activations], Int[Tensor, " Q"], Source]
SHARES_READ = (1 / 128, 1 / 64, 1 / 42, 1 / 28, 1 / 20, 1 / 13.6, 1 / 10, 1 / 7, 1 / 4.5, 1 / 3)
STOPS = (0.6, 0.3, 0.15, 0.075, 0.0375, 0.019)


def calibration_lengths(longest: int, causal: bool) -> tuple[int, ...]:
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


def calibrate(
    loaded: LoadedModel,
    heads: tuple[tuple[SplatField, ...], ...],
    texts: Sequence[Text],
    lengths: Sequence[int],
    settings: FitSettings,
    report: Progress,
) -> tuple[Tensor, Tensor, tuple[ErrorCurves, ...], tuple[Source, ...]]:
    """Tempers [L, H, 3], tilts [L, H, 3], error curves by length, and the texts read."""
    report("Capturing the calibration texts", 0.65)
    by_length = {length: probes(loaded, texts, length, settings.queries) for length in lengths}
    sources = tuple(source for _, _, source in by_length[lengths[-1]])
    tempers, tilts, curves = [], [], []
    groups = loaded.key_value_heads
    per_group = loaded.query_heads // groups
    for layer in range(loaded.layers):
        report(f"Calibrating layer {layer}", 0.7 + 0.2 * layer / loaded.layers)
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
    unrounded: Sequence[Sequence[SplatField]] | None,
    found: Sequence[Probe],
) -> tuple[tuple[tuple[str, float, float], ...], float]:
    """(way, mean relative error over heads, mean reads) of each way of spending; and the error
    of the first way that differs by head with unrounded splats, if there are such.
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
            if unrounded is None:
                continue
            precise = stack(unrounded[number], layer.temper, layer.tilt)
            result = attend(activations, precise, plans["per_head"][number], queries)
            exactly += share * float(relative_error(result.output, wanted).mean())
    rows = tuple((way, errors[way], reads[way]) for way in WAYS)
    return rows, errors["per_head"] if unrounded is None else exactly
