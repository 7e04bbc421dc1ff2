"""Numbers of a bundle worked out again: on the real MiniLM, here and in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hsa.__main__ import main
from hsa.errors import FieldError, InputError, ModelError
from hsa.field.model_field import ModelField
from hsa.field.shipped import shipped_field
from hsa.models.loaded import LoadedModel
from hsa.sharing.bundle import Bundle, make_bundle
from hsa.sharing.bundle_file import read, written
from hsa.sharing.numbers import NUMBERS, Number
from hsa.sharing.verify import TOLERANCE, compare, verify
from hsa.sharing.view import View

ROOT = Path(__file__).parents[2]
PROMPT = (ROOT / "assets/prompts/dialogue.txt").read_text("utf-8").strip("\n")
CHOICES = (("model", "minilm"), ("layer", "2"), ("head", "3"), ("cell", "9,40"))


@pytest.fixture(scope="module")
def field(minilm: LoadedModel) -> ModelField:
    return shipped_field("minilm", minilm.fingerprint)


@pytest.fixture(scope="module")
def view(minilm: LoadedModel, field: ModelField) -> View:
    count = len(minilm.tokenize(PROMPT))
    return View(2, 3, 12, field.spending, "query", 0, count, 9, 40, grid=True)


@pytest.fixture(scope="module")
def bundle(minilm: LoadedModel, field: ModelField, view: View) -> Bundle:
    return make_bundle(minilm, field, PROMPT, view, "compare", CHOICES)


def test_another_process_with_other_threads_finds_the_same(bundle: Bundle, tmp_path: Path) -> None:
    assert {number.name for number in bundle.numbers} == set(NUMBERS)
    assert bundle.field.tensors is None, "the shipped field need not travel"
    (tmp_path / "b.zip").write_bytes(written(bundle))
    outcome = subprocess.run(
        [sys.executable, "-m", "hsa", "verify", str(tmp_path / "b.zip"), "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "2" if torch.get_num_threads() == 1 else "1",
                          "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads(outcome.stdout)
    assert report["passed"] and report["tolerance"] == TOLERANCE == 1e-6
    assert report["largest"] <= 1e-6
    assert {row["name"] for row in report["numbers"]} == set(NUMBERS)
    (product,) = (row for row in report["numbers"] if row["name"] == "product")
    (shares,) = (number.values for number in bundle.numbers if number.name == "shares")
    assert product["stored"] == pytest.approx(float(shares.prod()), rel=1e-9)


@pytest.mark.parametrize("name", ["weight", "hsa_row", "path", "member_identity", "grid_entropy"])
def test_an_altered_number_fails_and_no_other(
    bundle: Bundle, minilm: LoadedModel, view: View, name: str
) -> None:
    again = bundle.numbers
    altered = tuple(_altered(number) if number.name == name else number for number in again)
    found = {number.name: number for number in compare(altered, again)}
    assert not found[name].passed
    assert all(other.passed for other in found.values() if other.name != name)
    lacking = tuple(number for number in again if number.name != name)
    assert not next(n for n in compare(lacking, again) if n.name == name).passed
    assert not next(n for n in compare(again, lacking) if n.name == name).passed


def _altered(number: Number) -> Number:
    values = number.values.clone()
    place = torch.isfinite(values.double()).nonzero()[0].tolist()
    values[tuple(place)] += (
        1
        if values.dtype == torch.int64
        else 1.2e-6 * max(1.0, float(values.nan_to_num(0).abs().max()))
    )
    return Number(number.name, values)


def test_a_number_that_is_none_and_one_out_of_scale_do_not_pass() -> None:
    def apart(stored: list[float], again: list[float], name: str = "entropy") -> bool:
        pair = [(Number(f"grid_{name}", torch.tensor(v).double()),) for v in (stored, again)]
        return compare(*pair)[0].passed

    nan, inf = float("nan"), float("inf")
    assert apart([nan, 1.0], [nan, 1.0]) and not apart([nan, 1.0], [1.0, 1.0])
    assert not apart([1.0], [nan]) and not apart([inf], [1.0]) and not apart([1e9], [1.0])
    assert not apart([1e9], [1e9 + 1e6]), "the scale is that of the numbers made again"
    assert not apart([1.0], [1.0, 1.0])


def test_the_prompt_the_model_and_the_field_are_held_to(
    bundle: Bundle, minilm: LoadedModel
) -> None:
    with pytest.raises(ModelError, match="made with another model"):
        verify(replace(bundle, fingerprint="0" * 64), minilm)
    with pytest.raises(FieldError, match="another field"):
        verify(replace(bundle, field=replace(bundle.field, checksum="0" * 64)), minilm)
    other = replace(bundle, view=replace(bundle.view, grid=False), prompt=f"{PROMPT[:-1]}?")
    found = {number.name: number for number in verify(other, minilm).numbers}
    assert not found["tokens"].passed and not found["hsa_row"].passed


@pytest.mark.parametrize(
    "change", [{"layer": 6}, {"head": 12}, {"query": 500}, {"first": 3}, {"key": 400}]
)
def test_views_that_the_text_does_not_have_are_refused(
    bundle: Bundle, minilm: LoadedModel, change: dict[str, int]
) -> None:
    view = replace(bundle.view, grid=False, **change)
    with pytest.raises(InputError):
        verify(replace(bundle, view=view), minilm)


def test_another_field_travels_along_and_must_be_sound(
    bundle: Bundle, minilm: LoadedModel, field: ModelField
) -> None:
    own = replace(field, temper=field.temper * 0.9)
    view = replace(bundle.view, grid=False, opening="block", reads=4)
    made = read(written(make_bundle(minilm, own, PROMPT, view, "compare", CHOICES)))
    assert made.field.tensors is not None and made.field.checksum != bundle.field.checksum
    assert verify(made, minilm).largest == 0
    noise = replace(field, temper=field.temper * float("nan"))
    with pytest.raises(FieldError, match="no numbers"):
        verify(_with_field(made, noise), minilm)
    fewer = replace(field, heads=field.heads[:3], temper=field.temper[:3], tilt=field.tilt[:3],
                    curves=(), own_curves=())  # fmt: skip
    with pytest.raises(FieldError, match="3 layers"):
        verify(_with_field(made, fewer), minilm)


def _with_field(bundle: Bundle, field: ModelField) -> Bundle:
    from hsa.field.checkpoint import packed

    tensors, described = packed(field)
    checksum = json.loads(described)["sha256"]
    return replace(bundle, field=type(bundle.field)(checksum, tensors, described))


def test_the_command_writes_what_the_command_verifies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b.zip"
    text = ("--text", str(ROOT / "assets/prompts/fact.txt"))
    where = ("--model", "minilm", "--layer", "1", "--head", "2", "--query", "9", "--key", "3")
    assert main(["bundle", *where, *text, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == out.stat().st_size
    assert main(["verify", str(out)]) == 0
    assert "passed: the tolerance is 1e-06" in capsys.readouterr().out
    found = read(out.read_bytes())
    assert dict(found.choices)["cell"] == "9,3"
    altered = tuple(
        replace(n, values=n.values + 1e-4) if n.name == "weight" else n for n in found.numbers
    )
    out.write_bytes(written(replace(found, numbers=altered)))
    assert main(["verify", str(out), "--json"]) == 1
    assert not json.loads(capsys.readouterr().out)["passed"]
    for wrong, said in (
        (("verify", str(tmp_path / "none.zip")), "cannot be read"),
        (("verify", __file__), "no bundle"),
        (("bundle", *where, *text, "--out", "b.bin"), "--out was not understood"),
        (("bundle", *where[:-2], *text, "--out", str(out)), "belong together"),
    ):
        assert main(list(wrong)) == 2
        assert said in capsys.readouterr().err
