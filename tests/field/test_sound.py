"""Fields whose checksums are right and that are none all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.errors import FieldError
from hsa.field.checkpoint import packed, unpacked
from hsa.field.curves import ErrorCurves, OwnCurves
from hsa.field.model_field import ModelField, Source
from hsa.field.seeding import seed_field
from hsa.field.shipped import FOLDER
from hsa.field.sound import check_shape, check_sound
from hsa.field.splat_field import SplatField


@pytest.fixture
def field() -> ModelField:
    generator = torch.Generator().manual_seed(3)
    keys = torch.randn(200, 8, generator=generator)
    heads = tuple(
        tuple(seed_field(keys, torch.eye(8), (2, 5, 20), generator) for _ in range(2))
        for _ in range(3)
    )
    curves = ErrorCurves(
        64, torch.tensor([1, 2]), torch.rand(3, 4, 2), torch.rand(3, 4, 2),
        torch.tensor([0.5, 0.1]), torch.rand(3, 4, 2), torch.rand(3, 4, 2), torch.rand(3, 4),
    )  # fmt: skip
    return ModelField(
        "toy", "f" * 64, 64, heads, torch.rand(3, 4, 3), torch.rand(3, 4, 3), (curves,),
        "per_head", (("per_head", 0.1, 5.0),), (Source("a.txt", "0" * 64, 200),), (), 3,
        (OwnCurves(64, torch.tensor([2, 9]), torch.rand(3, 4, 2)),),
    )  # fmt: skip


def test_what_ships_is_sound_and_so_is_what_is_seeded(field: ModelField) -> None:
    check_sound(field)
    check_shape(field, 3, 4, 2, 8)
    with pytest.raises(FieldError, match="3 layers, 4 query and 2 key/value heads of 8"):
        check_shape(field, 3, 4, 2, 16)
    path = FOLDER / "minilm.safetensors"
    shipped = unpacked(path.read_bytes(), path.with_suffix(".json").read_bytes(), None, path.name)
    check_sound(shipped)


def head_with(field: ModelField, **changes: object) -> ModelField:
    """The field with one head changed behind the back of its own checks."""
    head = object.__new__(SplatField)
    vars(head).update(vars(field.heads[1][1]) | changes)
    heads = (field.heads[0], (field.heads[1][0], head), field.heads[2])
    return replace(field, heads=heads)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: replace(f, heads=()),
        lambda f: replace(f, heads=(*f.heads[:2], f.heads[2][:1])),
        lambda f: replace(f, temper=f.temper[:, :3]),
        lambda f: replace(f, tilt=f.tilt * float("nan")),
        lambda f: replace(f, positions=0),
        lambda f: replace(f, positions="many"),
        lambda f: replace(f, model=["toy"]),
        lambda f: replace(f, seed=-1),
        lambda f: replace(f, fitted_on=(Source("a" * 501, "", 1),)),
        lambda f: replace(f, fitted_on=(Source("a", "", "x"),)),  # type: ignore[arg-type]
        lambda f: replace(f, curves=(replace(f.curves[0], scale=torch.rand(3)),)),
        lambda f: replace(f, curves=(replace(f.curves[0], stop=torch.rand(5)),)),
        lambda f: replace(f, own_curves=(replace(f.own_curves[0], error=torch.rand(3, 4, 1)),)),
        lambda f: head_with(f, splat_id=torch.zeros(27, dtype=torch.int64)),
        lambda f: head_with(f, position=torch.full((27, 8), float("inf"))),
        lambda f: head_with(f, level=torch.full((27,), 3)),
        lambda f: head_with(f, frame=torch.zeros(8, 8)),
    ],
)
def test_what_makes_no_sense_is_refused(field: ModelField, spoil: object) -> None:
    with pytest.raises(FieldError, match="not sound"):
        check_sound(spoil(field))  # type: ignore[operator]


def test_contents_without_files_round_trip(field: ModelField) -> None:
    tensors, described = packed(field)
    again = packed(unpacked(tensors, described, None, "x.safetensors"))
    assert again == (tensors, described)
    with pytest.raises(FieldError, match="truncated, edited or damaged"):
        unpacked(tensors[:-1], described, None, "x.safetensors")
    with pytest.raises(FieldError, match=r"x\.json is damaged"):
        unpacked(tensors, b"[" * 100_000, None, "x.safetensors")
