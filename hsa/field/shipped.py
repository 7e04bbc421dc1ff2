"""Where the fields that ship with the app lie."""

from __future__ import annotations

from pathlib import Path

from hsa.errors import FieldError
from hsa.field.checkpoint import load_field
from hsa.field.model_field import ModelField

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "fields"


def shipped_path(model: str) -> Path:
    """The file of a catalogue model's field, present or not."""
    return FOLDER / f"{model}.safetensors"


def has_shipped_field(model: str) -> bool:
    """Whether a field of this catalogue name ships with the app."""
    return model.isidentifier() and shipped_path(model).is_file()


def shipped_field(model: str, fingerprint: str) -> ModelField:
    """The shipped field of a catalogue model.

    Raises:
        FieldError: none ships for this model, or it is damaged.
    """
    if not has_shipped_field(model):
        raise FieldError(
            "No field ships for this model",
            got=model,
            needed=", ".join(sorted(path.stem for path in FOLDER.glob("*.safetensors"))),
            attempt="fit one: `python -m hsa fit --model … --texts … --out …`",
        )
    return load_field(shipped_path(model), fingerprint)
