"""A field on disk: in and out, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from hsa.errors import FieldError
from hsa.field.checkpoint import FORMAT, load_field, save_field
from hsa.field.curves import ErrorCurves, OwnCurves
from hsa.field.model_field import ModelField, Source
from hsa.field.seeding import seed_field
from hsa.field.stored_head import as_stored


@pytest.fixture
def field() -> ModelField:
    generator = torch.Generator().manual_seed(3)
    keys = torch.randn(200, 8, generator=generator)
    moment = torch.diag(torch.rand(8, generator=generator) + 0.1)
    heads = tuple(
        tuple(as_stored(seed_field(keys, moment, (2, 5, 20), generator)) for _ in range(2))
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


@pytest.fixture
def path(tmp_path: Path, field: ModelField) -> Path:
    save_field(field, tmp_path / "toy.safetensors")
    return tmp_path / "toy.safetensors"


def test_round_trip_is_exact(field: ModelField, path: Path) -> None:
    found = load_field(path, "f" * 64)
    for ours, theirs in zip(field.heads, found.heads, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            for name, tensor in vars(one).items():
                assert torch.equal(tensor, getattr(other, name)), name
    assert torch.equal(field.temper, found.temper)
    assert torch.equal(field.curves[0].stop_reads, found.curves[0].stop_reads)
    for ours, theirs in zip(field.own_curves, found.own_curves, strict=True):
        assert ours.tokens == theirs.tokens
        assert torch.equal(ours.reads, theirs.reads) and torch.equal(ours.error, theirs.error)
    assert (found.spending_errors, found.fitted_on) == (field.spending_errors, field.fitted_on)
    assert sorted(p.name for p in path.parent.iterdir()) == ["toy.json", "toy.safetensors"]


def test_a_file_of_before_there_were_own_curves_is_read(field: ModelField, path: Path) -> None:
    described = json.loads(path.with_suffix(".json").read_text())
    del described["own_curve_tokens"], described["sha256"]
    content = json.dumps(described, sort_keys=True).encode()
    described["sha256"] = hashlib.sha256(content).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(described))
    found = load_field(path, "f" * 64)
    assert found.own_curves == () and torch.equal(found.temper, field.temper)


def test_rounding_stays_small() -> None:
    generator = torch.Generator().manual_seed(0)
    head = seed_field(torch.randn(300, 8, generator=generator), torch.eye(8), (2, 5, 40), generator)
    stored = as_stored(head)
    assert torch.equal(stored.frame, head.frame)
    assert float((stored.position - head.position).abs().max()) < 2e-3
    width = float(head.log_spread.max() - head.log_spread.min())
    assert float((stored.log_spread - head.log_spread).abs().max()) <= width / 255


def edit(path: Path, **changes: object) -> None:
    described = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(described | changes))


def test_another_model_is_refused(path: Path) -> None:
    with pytest.raises(FieldError, match="belongs to another model"):
        load_field(path, "0" * 64)


def test_a_newer_format_is_refused(path: Path) -> None:
    edit(path, format=FORMAT + 1)
    with pytest.raises(FieldError, match="newer than this program"):
        load_field(path, "f" * 64)


def test_an_edited_description_is_refused(path: Path) -> None:
    edit(path, positions=10**6)
    with pytest.raises(FieldError, match="edited or damaged"):
        load_field(path, "f" * 64)


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_a_truncated_file_is_refused(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FieldError, match="truncated"):
        load_field(path, "f" * 64)


def test_an_edited_tensor_is_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(FieldError, match="edited or damaged"):
        load_field(path, "f" * 64)


def test_a_damaged_description_is_refused(path: Path) -> None:
    path.with_suffix(".json").write_text("{")
    with pytest.raises(FieldError, match="damaged"):
        load_field(path, "f" * 64)


def test_a_missing_half_is_refused(path: Path) -> None:
    path.with_suffix(".json").unlink()
    with pytest.raises(FieldError, match="cannot be read"):
        load_field(path, "f" * 64)
