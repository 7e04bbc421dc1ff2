"""The model and the field that a command is about, and the device that it runs on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.errors import InputError

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


def chosen(wish: str, many: int, option: str) -> list[int]:
    """Numbers below `many` that an option names: all, or some with commas between.

    Raises:
        InputError: it names none, or one that is not there.
    """
    if wish == "all":
        return list(range(many))
    try:
        numbers = sorted({int(part) for part in wish.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 0 or numbers[-1] >= many:
        raise InputError(
            f"{option} was not understood", got=wish,
            needed=f"all, or numbers from 0 to {many - 1} with commas between", attempt="all",
        )  # fmt: skip
    return numbers
