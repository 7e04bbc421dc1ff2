"""Whether a field that somebody gave us is one: what its checksums cannot say.

A checksum tells damage, not intent: whoever writes a file writes its checksum too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsa.errors import FieldError
from hsa.field.curves import ErrorCurves, OwnCurves
from hsa.field.model_field import ModelField
from hsa.field.splat_field import PHRASE, SplatField

MOST_CHARACTERS = 500
"""Of a name in a field's description."""


def check_sound(field: ModelField) -> None:
    """Refuse a field whose tensors do not belong together or hold no numbers.

    Raises:
        FieldError: with the first thing that is wrong.
    """
    _check_words(field)
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
        _check_curves(curves, tuple(shape[:2]))


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


def _check_words(field: ModelField) -> None:
    """What stands in the description, which says what it likes."""
    sources = (*field.fitted_on, *field.calibrated_on)
    curves = (*field.curves, *field.own_curves)
    texts = [field.model, field.fingerprint, field.spending, *(source.name for source in sources)]
    counts = [field.positions, *(c.tokens for c in curves)]
    wholes = [field.seed, *(source.tokens for source in sources)]
    if not all(isinstance(text, str) and len(text) <= MOST_CHARACTERS for text in texts):
        _refuse("names that are no texts", f"texts of at most {MOST_CHARACTERS} characters")
    if not all(type(count) is int and count >= 1 for count in counts):
        _refuse("counts that are none", "positions and tokens of at least one")
    if not all(type(whole) is int and whole >= 0 for whole in wholes):
        _refuse("a seed or tokens that are no whole numbers", "whole numbers from 0")


def _check_curves(curves: ErrorCurves | OwnCurves, heads: tuple[int, ...]) -> None:
    wanted = {"error": (*heads, curves.reads.numel())}
    if isinstance(curves, ErrorCurves):
        stops = (*heads, curves.stop.numel())
        wanted |= {"oracle": wanted["error"], "stop_reads": stops, "stop_error": stops,
                   "scale": heads}  # fmt: skip
    for name, shape in wanted.items():
        got = tuple(getattr(curves, name).shape)
        if got != shape:
            _refuse(f"curves with {name} of shape {got}", f"shape {shape}")
        _check_numbers("curves", getattr(curves, name).float())
    if curves.reads.dim() != 1 or not curves.reads.numel():
        _refuse("curves without reads", "the reads that they were measured at")


def _check_head(head: SplatField, where: str) -> None:
    if not head.splats or not bool((head.level == PHRASE).any()):
        _refuse(f"{where} without Phrases", "Phrases, which hold the keys")
    if bool((head.level < 0).any()) or bool((head.level > PHRASE).any()):
        _refuse(f"{where} with levels beyond Phrase", "Document, Section and Phrase")
    if head.splat_id.unique().numel() != head.splats or bool((head.splat_id < 0).any()):
        _refuse(f"{where} with ids that stand twice", "an id of its own for every splat")
    _check_numbers(where, head.frame, head.position, head.log_spread, head.log_amplitude)
    if float(torch.linalg.eigvalsh(head.frame.double()).min()) <= 0:
        _refuse(f"{where} with a frame that has no inverse", "a positive frame, M^½")


def _check_numbers(what: str, *tensors: Tensor) -> None:
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
        _refuse(f"{what} with values that are no numbers", "finite numbers")


def _refuse(got: str, needed: str) -> None:
    raise FieldError(
        "The field is not sound", got=got, needed=needed,
        attempt="ask for the file again, or fit a field with `python -m hsa fit`",
    )  # fmt: skip
