"""A bundle: all that reopens a view and recomputes its numbers, without asking a network."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version

import torch

from hsa.errors import FieldError
from hsa.field.checkpoint import description, packed, unpacked
from hsa.field.model_field import ModelField
from hsa.field.shipped import has_shipped_field, shipped_path
from hsa.field.sound import check_shape, check_sound
from hsa.models.loaded import LoadedModel
from hsa.sharing.measure import Progress, measure
from hsa.sharing.numbers import Number
from hsa.sharing.view import View

FIELD = "field.safetensors"
"""What a field is called that lies in a bundle."""


@dataclass(frozen=True)
class BundledField:
    """The field that the numbers were made with.

    Attributes:
        checksum: the sha256 that its description bears, over everything in it.
        tensors, described: its two files; None where it ships with the app.
    """

    checksum: str
    tensors: bytes | None = None
    described: bytes | None = None


@dataclass(frozen=True)
class Bundle:
    """What was shown, and what it showed.

    Attributes:
        model, fingerprint: as the visitor named it, and what it is.
        page: that showed it.
        choices: parameters of that page's address, by name.
        versions: of the programs that made the numbers.
    """

    prompt: str
    model: str
    fingerprint: str
    field: BundledField
    page: str
    choices: tuple[tuple[str, str], ...]
    view: View
    versions: tuple[tuple[str, str], ...]
    numbers: tuple[Number, ...]


def versions() -> tuple[tuple[str, str], ...]:
    """Of what the numbers depend on, here and now."""
    return (
        ("hsa", version_of_hsa()),
        ("torch", version("torch")),
        ("transformers", version("transformers")),
        ("python", platform.python_version()),
        # Sums of floats depend on the order in which a processor's kernels add.
        ("processor", f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"),
    )


def version_of_hsa() -> str:
    """Of this program."""
    from hsa import __version__

    return __version__


def make_bundle(
    loaded: LoadedModel,
    field: ModelField,
    prompt: str,
    view: View,
    page: str,
    choices: tuple[tuple[str, str], ...],
    progress: Progress = lambda sentence, fraction: None,
) -> Bundle:
    """Measure the view anew and put everything together.

    A field that does not ship goes in as it is stored, positions in half precision, and the
    numbers are those of the stored field, so that whoever opens the file meets the same.

    Raises:
        InputError: a view that this text does not have.
    """
    tensors, described = packed(field)
    checksum = description(described, FIELD)["sha256"]
    if checksum == shipped_checksum(loaded.name):
        bundled = BundledField(checksum)
    else:
        bundled = BundledField(checksum, tensors, described)
        field = unpacked(tensors, described, loaded.fingerprint, FIELD)
    numbers = measure(loaded, field, loaded.tokenize(prompt), view, progress)
    return Bundle(
        prompt, loaded.name, loaded.fingerprint, bundled, page, choices, view, versions(), numbers
    )


def shipped_checksum(model: str) -> str | None:
    """The checksum of the field that ships for this name; None where none does."""
    if not has_shipped_field(model):
        return None
    path = shipped_path(model)
    return description(path.with_suffix(".json").read_bytes(), path.name)["sha256"]


def field_of_bundle(bundle: Bundle, loaded: LoadedModel) -> ModelField:
    """The field in the bundle, or the one that ships, if it is the same.

    Raises:
        FieldError: it is damaged, unsound, of another model, or another than the bundle's.
    """
    inside = bundle.field
    if inside.tensors is not None and inside.described is not None:
        field = unpacked(inside.tensors, inside.described, loaded.fingerprint, FIELD)
        check_sound(field)
        check_shape(
            field, loaded.layers, loaded.query_heads, loaded.key_value_heads, loaded.head_dim
        )
        return field
    here = shipped_checksum(loaded.name)
    if here != inside.checksum:
        raise FieldError(
            "The bundle was made with another field",
            got="no field ships here" if here is None else f"the shipped field {here[:12]}",
            needed=inside.checksum[:12],
            attempt="verify it with the version of HSA Explorer that it names",
        )
    return unpacked(
        shipped_path(loaded.name).read_bytes(),
        shipped_path(loaded.name).with_suffix(".json").read_bytes(),
        loaded.fingerprint, shipped_path(loaded.name).name,
    )  # fmt: skip
