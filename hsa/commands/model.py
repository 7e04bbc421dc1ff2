"""The model and the field that a command is about, and the device that it runs on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsa.field.model_field import ModelField
    from hsa.models.loaded import LoadedModel


def add_model(parser: argparse.ArgumentParser, device: bool = False) -> None:
    """Declare `--model`, and `--device` where all that follows runs on any."""
    parser.add_argument("--model", default="smollm2", help="catalogue key, hub id or folder")
    if device:
        parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, mps")


def add_field(parser: argparse.ArgumentParser) -> None:
    """Declare `--field`."""
    parser.add_argument("--field", type=Path, help="a fitted field; the shipped one if left out")


def loaded_model(args: argparse.Namespace) -> LoadedModel:
    """The model that the arguments name, on their device.

    Raises:
        ModelError: the model or the device is not there.
    """
    from hsa.models.loading import load

    return load(args.model, device=getattr(args, "device", "cpu"))


def field_of(args: argparse.Namespace, loaded: LoadedModel) -> ModelField:
    """The field named by `--field`, or the one that ships for the model.

    Raises:
        FieldError: it is damaged, or another model's.
    """
    from hsa.field.checkpoint import load_field
    from hsa.field.shipped import shipped_field

    if args.field:
        return load_field(args.field, loaded.fingerprint)
    return shipped_field(args.model, loaded.fingerprint)
