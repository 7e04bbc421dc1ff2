"""A field of seeded splats, calibrated: weights, what reads buy, and how they are best spent."""

from __future__ import annotations

from collections.abc import Sequence

from hsa.field.model_field import ModelField
from hsa.field.splat_field import SplatField
from hsa.fitting.calibrate import calibrate, calibration_lengths, held_errors, probes
from hsa.fitting.measure_alone import measure_alone
from hsa.fitting.settings import FitSettings, Progress, Text
from hsa.models.loaded import LoadedModel


def calibrated(
    loaded: LoadedModel,
    field: ModelField,
    unrounded: Sequence[Sequence[SplatField]] | None,
    calibration: Sequence[Text],
    held: Sequence[Text],
    settings: FitSettings,
    report: Progress,
) -> tuple[ModelField, float]:
    """The same splats with all that texts say of them.

    Args:
        unrounded: the splats in full precision, if these were rounded just now.
        calibration: tempers, tilts and error curves come from these.
        held: neither fitted nor calibrated on; they choose between the ways of spending.

    Returns:
        The field, and the mean error with reads per head that `unrounded` leaves on the held
        texts.
    """
    lengths = calibration_lengths(
        min(settings.calibration_tokens, loaded.max_tokens), loaded.causal
    )
    temper, tilt, curves, sources = calibrate(
        loaded, field.heads, calibration, lengths, settings, report
    )
    field = field.calibrated(
        temper=temper, tilt=tilt, curves=curves, own_curves=(), calibrated_on=sources
    )
    report("Comparing the ways of spending reads on held texts", 0.9)
    errors, unrounded_error = held_errors(
        loaded, field, unrounded, probes(loaded, held or calibration, lengths[-1], settings.queries)
    )
    best = min(errors, key=lambda row: row[1])[0]
    alone = measure_alone(loaded, field, calibration, lengths[-1], report)
    return field.calibrated(
        spending=best, spending_errors=errors, own_curves=alone
    ), unrounded_error
