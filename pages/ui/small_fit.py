"""A small field for a model that none ships with, fitted while the visitor waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.ui.samples import sample_text
from pages.ui.waiting import Progress

if TYPE_CHECKING:
    from hsa.field.model_field import ModelField
    from hsa.models.loaded import LoadedModel

READ = ("moby-long", "languages", "code")
CALIBRATED = ("dialogue", "repeat", "fact")


def fit_small(loaded: LoadedModel, progress: Progress) -> ModelField:
    """Fit on the sample texts; calibrate on others of them, joined to one text."""
    from hsa.fitting.fit import fit
    from hsa.fitting.settings import FitSettings, Text

    settings = FitSettings(
        documents=4,
        sections=16,
        phrases=96,
        positions=2048,
        tokens_per_text=2048,
        keys_kept=4096,
        rounds=8,
        calibration_tokens=128,
        queries=16,
    )
    texts = [Text(f"sample {name}", sample_text(name)) for name in READ]
    other = Text("samples joined", "\n\n".join(sample_text(name) for name in CALIBRATED))
    return fit(loaded, texts, [other], [other], settings, progress).field
