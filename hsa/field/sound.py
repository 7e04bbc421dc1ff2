"""Whether a field that somebody gave us is one: what its checksums cannot say.

A checksum tells damage, not intent: whoever writes a file writes its checksum too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsa.errors import FieldError
from hsa.field.model_field import ModelField
from hsa.field.splat_field import PHRASE, SplatField


def check_sound(field: ModelField) -> None:
    """Refuse a field whose tensors do not belong together or hold no numbers.

    Raises:
        FieldError: with the first thing that is wrong.
    """
    if not field.heads or not all(field.heads):
        _refuse("no heads", "a field for every key/value head of every layer")
    groups = {len(heads) for heads in field.heads}
    dims = {head.position.shape[1] for heads in field.heads for head in heads}
    if len(groups) != 1 or len(dims) != 1:
        _refuse(f"{groups} heads of {dims} dimensions", "as many of each kind in every layer")
    for at, heads in enumerate(field.heads):
        for group, head in enumerate(heads):
            _check_head(head, f"layer {at}, key/value head {group}")
    shape = field.temper.shape
    sound = len(shape) == 3 and shape[0] == field.layers and shape[2] == PHRASE + 1
    if not sound or shape[1] % groups.pop() or field.tilt.shape != shape:
        _refuse(f"tempers of shape {tuple(shape)}", f"[{field.layers}, query heads, 3]")
    _check_numbers("tempers and tilts", field.temper, field.tilt)
    for curves in (*field.curves, *field.own_curves):
        heads = tuple(shape[:2])
        if tuple(curves.error.shape) != (*heads, curves.reads.numel()) or curves.tokens < 1:
            _refuse(f"curves of shape {tuple(curves.error.shape)}", f"one for each of {heads}")
        _check_numbers("curves", curves.reads.float(), curves.error)
    if field.positions < 1:
        _refuse(f"{field.positions} positions", "at least one")


def check_shape(field: ModelField, layers: int, query_heads: int, groups: int, dim: int) -> None:
    """Refuse a sound field of another shape than a model's.

    Raises:
        FieldError: what the field has and the model needs.
    """
    first = field.heads[0]
    got = (field.layers, field.query_heads, len(first), first[0].position.shape[1])
    wanted = (layers, query_heads, groups, dim)
    if got != wanted:
        words = "{} layers, {} query and {} key/value heads of {} dimensions"
        _refuse(words.format(*got), words.format(*wanted))


def _check_head(head: SplatField, where: str) -> None:
    if not head.splats or not bool((head.level == PHRASE).any()):
        _refuse(f"{where} without Phrases", "Phrases, which hold the keys")
    if bool((head.level < 0).any()) or bool((head.level > PHRASE).any()):
        _refuse(f"{where} with levels beyond Phrase", "Document, Section and Phrase")
    if head.splat_id.unique().numel() != head.splats or bool((head.splat_id < 0).any()):
        _refuse(f"{where} with ids that stand twice", "an id of its own for every splat")
    _check_numbers(where, head.frame, head.position, head.log_spread, head.log_amplitude)


def _check_numbers(what: str, *tensors: Tensor) -> None:
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
        _refuse(f"{what} with values that are no numbers", "finite numbers")


def _refuse(got: str, needed: str) -> None:
    raise FieldError(
        "The field is not sound", got=got, needed=needed,
        attempt="ask for the file again, or fit a field with `python -m hsa fit`",
    )  # fmt: skip
