"""The shipped field of a loaded model."""

from __future__ import annotations

from hsa.field.model_field import ModelField
from hsa.field.shipped import shipped_field as of_catalogue
from hsa.models.loaded import LoadedModel


def shipped_field(loaded: LoadedModel) -> ModelField:
    """The field that ships for a model of the catalogue.

    Raises:
        FieldError: none ships for this model, or it is damaged.
    """
    return of_catalogue(loaded.name, loaded.fingerprint)
