"""Fields in eight bits: how far off, exact where they must be, and on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from hsa.errors import FieldError
from hsa.field.checkpoint import load_field, save_field
from hsa.field.model_field import ModelField, Source
from hsa.field.quantised import quantise, restore, rounded
from hsa.field.seeding import seed_field
from hsa.field.splat_field import SplatField
from hsa.field.stored_head import as_stored


def stretched(seed: int, rows: int, dim: int) -> Tensor:
    """Numbers whose dimensions differ in place and width by orders of magnitude."""
    generator = torch.Generator().manual_seed(seed)
    width = 10 ** (4 * torch.rand(dim, generator=generator) - 2)
    place = 100 * torch.randn(dim, generator=generator)
    return place + width * torch.randn(rows, dim, generator=generator)


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 9))
@settings(deadline=None)
def test_off_by_half_a_step_at_most_and_exact_at_both_ends(seed: int, rows: int, dim: int) -> None:
    values = stretched(seed, rows, dim)
    found = restore(quantise(values))
    width = values.amax(0) - values.amin(0)
    rounding = 1e-6 * values.abs().amax(0)
    assert bool(((found - values).abs() <= width / 508 * 1.001 + rounding).all())
    for ends in (torch.amin, torch.amax):
        assert bool(((ends(found, 0) - ends(values, 0)).abs() <= rounding).all())


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_doing_it_twice_changes_no_code(seed: int) -> None:
    once = quantise(stretched(seed, 30, 6))
    assert torch.equal(quantise(restore(once)).code, once.code)


def test_a_dimension_that_never_varies_is_exact() -> None:
    values = torch.randn(9, 3)
    values[:, 1] = -7.25
    quantised = quantise(values)
    assert bool((quantised.step > 0).all()), "nothing is divided by zero"
    assert restore(quantised)[:, 1].tolist() == [-7.25] * 9
    assert restore(quantise(values[:1])).tolist() == values[:1].tolist()


def test_a_narrow_dimension_is_not_coarsened_by_a_wide_one() -> None:
    """What one step for the whole field would do."""
    values = torch.randn(200, 2) * torch.tensor([1000.0, 0.01])
    found = restore(quantise(values))
    assert float((found - values)[:, 1].abs().max()) < 2e-4


@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_no_number_is_refused(bad: float) -> None:
    values = torch.zeros(4, 2)
    values[2, 1] = bad
    with pytest.raises(FieldError, match="infinite or no number"):
        quantise(values)


def seeded(seed: int) -> SplatField:
    generator = torch.Generator().manual_seed(seed)
    keys = torch.randn(400, 16, generator=generator) * torch.logspace(-1, 1, 16)
    return seed_field(keys, torch.eye(16), (2, 6, 60), generator)


def test_only_positions_and_spreads_change() -> None:
    field = seeded(1)
    found = rounded(field)
    changed = {name for name, t in vars(field).items() if not torch.equal(t, getattr(found, name))}
    assert changed == {"position", "log_spread"}
    width = field.position.amax(0) - field.position.amin(0)
    assert bool(((found.position - field.position).abs() <= width / 500).all())


@pytest.fixture
def field() -> ModelField:
    heads = tuple(tuple(as_stored(seeded(2 * layer + g)) for g in range(2)) for layer in range(2))
    return ModelField(
        "toy", "f" * 64, 64, heads, torch.rand(2, 4, 3), torch.rand(2, 4, 3), (), "uniform",
        (("uniform", 0.1, 5.0),), (Source("a.txt", "0" * 64, 200),), (), 3,
    )  # fmt: skip


def test_on_disk_it_is_what_rounding_says_and_smaller(field: ModelField, tmp_path: Path) -> None:
    full = save_field(field, tmp_path / "half.safetensors")
    small = save_field(field, tmp_path / "int8.safetensors", "int8")
    assert small < full
    found = load_field(tmp_path / "int8.safetensors", "f" * 64)
    for ours, theirs in zip(field.heads, found.heads, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            for name, tensor in vars(rounded(one)).items():
                assert torch.equal(tensor, getattr(other, name)), name
            assert torch.equal(other.position, as_stored(one, "int8").position)
    assert torch.equal(field.tilt, found.tilt)
    assert (found.spending_errors, found.fitted_on) == (field.spending_errors, field.fitted_on)
    stored = load_file(tmp_path / "int8.safetensors")
    for name in ("1.1.position", "1.1.log_spread"):
        assert stored[name].dtype == torch.int8
        assert stored[f"{name}_scale"].shape == (2, 16)


def test_a_half_precision_file_still_says_format_1(field: ModelField, tmp_path: Path) -> None:
    """So that a program from before eight bits reads it, and refuses the other one."""
    for precision, form in (("half", 1), ("int8", 2)):
        path = tmp_path / f"{precision}.safetensors"
        save_field(field, path, precision)
        assert json.loads(path.with_suffix(".json").read_text())["format"] == form


def test_a_file_of_format_1_loads_unchanged(field: ModelField, tmp_path: Path) -> None:
    """Written here by hand, as the program before eight bits wrote it."""
    path = tmp_path / "old.safetensors"
    save_field(field, path)
    tensors = load_file(path)
    head = field.heads[1][0]
    low, high = float(head.log_spread.min()), float(head.log_spread.max())
    step = (high - low) / 255
    code = torch.arange(head.log_spread.numel()).remainder(256).view_as(head.log_spread)
    tensors["1.0.log_spread"] = code.to(torch.uint8)
    tensors["1.0.log_spread_scale"] = torch.tensor([low, step])
    tensors["1.0.position"] = head.position.half()
    rewrite(path, tensors)
    found = load_field(path, "f" * 64).heads[1][0]
    assert torch.equal(found.position, head.position)
    torch.testing.assert_close(found.log_spread, low + step * code.float())
    assert float(found.log_spread.max()) == pytest.approx(high), "255 is no negative code"


def rewrite(path: Path, tensors: dict[str, Tensor]) -> None:
    """Put other tensors under the same description, with checksums that are right."""
    save_file(tensors, path)
    described = json.loads(path.with_suffix(".json").read_text())
    del described["sha256"]
    described["tensors_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    content = json.dumps(described, sort_keys=True).encode()
    described["sha256"] = hashlib.sha256(content).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(described))


def test_codes_without_their_steps_are_refused(field: ModelField, tmp_path: Path) -> None:
    path = tmp_path / "int8.safetensors"
    save_field(field, path, "int8")
    tensors = load_file(path)
    del tensors["0.1.position_scale"]
    rewrite(path, tensors)
    with pytest.raises(FieldError, match="lacks what it should hold"):
        load_field(path, "f" * 64)


def test_a_damaged_file_of_codes_is_refused(field: ModelField, tmp_path: Path) -> None:
    path = tmp_path / "int8.safetensors"
    save_field(field, path, "int8")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(FieldError, match="edited or damaged"):
        load_field(path, "f" * 64)


def test_a_field_that_is_not_sound_is_not_written(field: ModelField, tmp_path: Path) -> None:
    head = field.heads[0][0]
    broken = replace(head, position=head.position / 0)
    with pytest.raises(FieldError, match="not sound"):
        save_field(replace(field, heads=((broken,),)), tmp_path / "x.safetensors", "int8")
    assert not list(tmp_path.iterdir())
