"""A model's field on disk: tensors as safetensors, all else as JSON beside them.

Format 1 (`half`) stores positions in half precision and log-spreads in 8 bits, one scale per
head. Format 2 (`int8`) stores both as int8, one scale per dimension (`quantised.py`). Frames are
float32 in both. What format 1 costs in error is measured by the fit, which calibrates what is
stored; what format 2 adds, by `python -m hsa quantise --text`.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from hsa.errors import FieldError
from hsa.field.curves import ErrorCurves, OwnCurves
from hsa.field.model_field import ModelField, Source
from hsa.field.stored_head import Precision, pack_head, unpack_head

FORMATS: dict[Precision, int] = {"half": 1, "int8": 2}
FORMAT = max(FORMATS.values())
"""The newest that this program reads. Each file bears the oldest that can say what it holds, so
that an older program reads it or refuses it, and never misreads it."""

CURVE_TENSORS = ("reads", "error", "oracle", "stop", "stop_reads", "stop_error", "scale")
OWN_CURVE_TENSORS = ("reads", "error")


def save_field(field: ModelField, path: Path, precision: Precision = "half") -> int:
    """Write `path` (.safetensors) and its .json, each atomically; returns their bytes."""
    blob, text = packed(field, precision)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, blob)
    _replace(path.with_suffix(".json"), text)
    return len(blob) + len(text)


def packed(field: ModelField, precision: Precision = "half") -> tuple[bytes, bytes]:
    """The contents of both files: tensors, and the description of them."""
    tensors: dict[str, Tensor] = {"temper": field.temper, "tilt": field.tilt}
    for layer, heads in enumerate(field.heads):
        for group, head in enumerate(heads):
            tensors |= pack_head(head, f"{layer}.{group}.", precision)
    for kind, names, of_lengths in (
        ("curves", CURVE_TENSORS, field.curves),
        ("own_curves", OWN_CURVE_TENSORS, field.own_curves),
    ):
        for number, curves in enumerate(of_lengths):
            for name in names:
                tensors[f"{kind}.{number}.{name}"] = getattr(curves, name)
    blob = save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()})
    described = {
        "format": FORMATS[precision],
        "model": field.model,
        "fingerprint": field.fingerprint,
        "positions": field.positions,
        "key_value_heads": [len(heads) for heads in field.heads],
        "curve_tokens": [curves.tokens for curves in field.curves],
        "own_curve_tokens": [curves.tokens for curves in field.own_curves],
        "spending": field.spending,
        "spending_errors": [list(row) for row in field.spending_errors],
        "fitted_on": [asdict(source) for source in field.fitted_on],
        "calibrated_on": [asdict(source) for source in field.calibrated_on],
        "seed": field.seed,
        "tensors_sha256": hashlib.sha256(blob).hexdigest(),
    }
    described["sha256"] = _checksum(described)
    return blob, json.dumps(described, indent=1).encode()


def load_field(path: Path, fingerprint: str) -> ModelField:
    """Read a field for the model of this fingerprint.

    Raises:
        FieldError: missing, of a newer format, of another model, truncated or edited.
    """
    try:
        text = path.with_suffix(".json").read_bytes()
        blob = path.read_bytes()
    except OSError as error:
        raise FieldError(
            f"The field {path.name} cannot be read",
            got=str(error),
            needed="a .safetensors file and its .json beside it",
            attempt="`python -m hsa fit` makes one",
        ) from error
    return unpacked(blob, text, fingerprint, path.name)


REFIT = "restore the file, or fit the field again with `python -m hsa fit`"


def description(text: bytes, name: str) -> dict:
    """What a field's .json says, if it is as it was written.

    Args:
        name: of the tensors' file, for refusals.

    Raises:
        FieldError: damaged or edited, or of a newer format.
    """
    beside = f"{name.removesuffix('.safetensors')}.json"
    try:
        described = json.loads(text)
        form = described["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FieldError(f"{beside} is damaged", got=str(error)[:200], attempt=REFIT) from error
    if not isinstance(form, int) or form > FORMAT:
        raise FieldError(
            f"The field {name} is newer than this program",
            got=f"format {form}",
            needed=f"format {FORMAT} or older",
            attempt="update HSA Explorer",
        )
    if described.get("sha256") != _checksum(described):
        raise FieldError(
            f"{beside} was edited or damaged",
            got="contents that differ from their checksum",
            attempt=REFIT,
        )
    return described


def unpacked(blob: bytes, text: bytes, fingerprint: str | None, name: str) -> ModelField:
    """The field of both files' contents.

    Args:
        fingerprint: of the model that it must be of; of any when None.
        name: of the tensors' file, for refusals.

    Raises:
        FieldError: of a newer format, of another model, truncated or edited.
    """
    described = description(text, name)
    if described.get("tensors_sha256") != hashlib.sha256(blob).hexdigest():
        raise FieldError(
            f"The field {name} was truncated, edited or damaged",
            got=f"{len(blob)} bytes that differ from their checksum",
            attempt=REFIT,
        )
    if fingerprint is not None and described.get("fingerprint") != fingerprint:
        raise FieldError(
            f"The field {name} belongs to another model",
            got=f"a field of {described.get('model')} ({str(described.get('fingerprint'))[:12]})",
            needed=f"a field of the model in use ({fingerprint[:12]})",
            attempt="load the model it was fitted on, or fit a field for this one",
        )
    try:
        tensors = load_tensors(blob)
        return _assemble(described, tensors)
    except (
        SafetensorError, KeyError, RuntimeError, TypeError, ValueError, IndexError, AttributeError
    ) as error:  # fmt: skip
        raise FieldError(
            f"The field {name} lacks what it should hold", got=str(error)[:200], attempt=REFIT
        ) from error


def _assemble(described: dict, tensors: dict[str, Tensor]) -> ModelField:
    return ModelField(
        model=described["model"],
        fingerprint=described["fingerprint"],
        positions=described["positions"],
        heads=tuple(
            tuple(unpack_head(tensors, f"{layer}.{group}.") for group in range(groups))
            for layer, groups in enumerate(described["key_value_heads"])
        ),
        temper=tensors["temper"],
        tilt=tensors["tilt"],
        curves=tuple(
            ErrorCurves(tokens, *(tensors[f"curves.{n}.{name}"] for name in CURVE_TENSORS))
            for n, tokens in enumerate(described["curve_tokens"])
        ),
        # Files that are older than these curves lack them, and read as well without.
        own_curves=tuple(
            OwnCurves(tokens, *(tensors[f"own_curves.{n}.{name}"] for name in OWN_CURVE_TENSORS))
            for n, tokens in enumerate(described.get("own_curve_tokens", ()))
        ),
        spending=described["spending"],
        spending_errors=tuple((w, e, r) for w, e, r in described["spending_errors"]),
        fitted_on=tuple(Source(**source) for source in described["fitted_on"]),
        calibrated_on=tuple(Source(**source) for source in described["calibrated_on"]),
        seed=described["seed"],
    )


def _checksum(described: dict) -> str:
    content = {key: value for key, value in described.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename, so that a kill half-way leaves the old file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
