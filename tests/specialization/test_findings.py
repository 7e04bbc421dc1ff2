"""From a real layer to findings, to a file and back; refusals of what is damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hsa.errors import FieldError, InputError
from hsa.models.loaded import LoadedModel
from hsa.specialization.claims import claims_of
from hsa.specialization.findings import ALL, FIGURES, Findings
from hsa.specialization.findings_file import load_findings, save_findings, shipped_findings
from hsa.specialization.functions import TOKEN_FUNCTIONS, named
from hsa.specialization.layer_tally import OTHER, LayerTally
from hsa.specialization.passages import passages
from hsa.specialization.summary import summarise


def finding(layer: int, head: int, splat: int, function: str, bits: float) -> list:
    place = [one.name for one in ALL].index(function)
    figures = [0.5, 0.1, 2.0, 1.0, 3.0, bits, 1e-30, 0.01, 12]
    return [layer, head, splat, 2, place, figures]


@pytest.fixture(scope="module")
def findings() -> Findings:
    rows = [
        finding(3, 1, 70, "comma", 0.5),
        finding(3, 1, 70, "noun", 0.9),
        finding(3, 4, 70, "repeat", 0.7),
        finding(3, 5, 70, "induction", 1.7),
        finding(3, 1, 71, "date", 0.2),
    ]
    columns = list(zip(*rows, strict=True))
    return Findings(
        model="smollm2", field="f" * 64, corpus=(("a.txt", "0" * 64),), tokens=1000, parsed=True,
        notes=(), layers=(3,), group=3, tests=500,
        **{
            name: torch.tensor(column)
            for name, column in zip(
                ("layer", "head", "splat_id", "level", "function"), columns[:5], strict=True
            )
        },
        figures=torch.tensor(columns[5]),
    )  # fmt: skip


def test_a_query_head_has_its_own_pairs_and_its_key_heads_tokens(findings: Findings) -> None:
    names = [found.function.name for found in findings.of_splat(3, 4, 70)]
    assert names == ["noun", "repeat", "comma"]
    assert findings.of_splat(3, 5, 70)[0].function.name == "induction"
    assert findings.of_splat(3, 0, 70) == () and findings.of_splat(4, 4, 70) == ()
    labels = findings.labels(3, 4)
    assert labels[70].label == "holds nouns (50%, ×5)" and set(labels) == {70, 71}
    assert "odds × 7.39 (2.72 to 20.1)" in labels[71].evidence


def test_the_strongest_of_each_kind_are_kept(findings: Findings) -> None:
    kept = findings.strongest(1)
    assert sorted(ALL[place].name for place in kept.function.tolist()) == [
        "date", "induction", "noun", "repeat",
    ]  # fmt: skip
    summary = {one.name: one for one in summarise(findings)}
    assert summary["noun"].strongest_for == 1 and summary["comma"].strongest_for == 0


def test_a_file_and_back(findings: Findings, tmp_path: Path) -> None:
    path = tmp_path / "smollm2.safetensors"
    save_findings(findings, path)
    again = load_findings(path)
    for name in ("layer", "head", "splat_id", "level", "function"):
        assert torch.equal(getattr(again, name), getattr(findings, name)), name
    q = FIGURES.index("q")
    torch.testing.assert_close(again.figures[:, q].log10(), torch.full((5,), -30.0))
    torch.testing.assert_close(again.figures, findings.figures, rtol=2e-3, atol=1e-20)
    assert replace(again, figures=findings.figures).of_splat(3, 4, 70) == findings.of_splat(
        3, 4, 70
    )


def test_damaged_and_foreign_files_are_refused(findings: Findings, tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    save_findings(findings, path)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole.replace(b'"comma', b'"commy', 1),
                    whole.replace(b"format\\\": 1", b"format\\\": 9", 1)):  # fmt: skip
        assert damaged != whole
        path.write_bytes(damaged)
        with pytest.raises(FieldError, match=r"specialise|newer"):
            load_findings(path)


def test_rows_of_what_cannot_be_are_refused(findings: Findings, tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    impossible = {
        "level": torch.full((5,), 9), "layer": torch.full((5,), 4), "head": torch.full((5,), -1),
        "splat_id": torch.full((5,), -7), "function": torch.full((5,), -1),
        "figures": torch.full((5, len(FIGURES)), torch.nan),
    }  # fmt: skip
    for name, column in impossible.items():
        first = torch.arange(5) == 0
        row = first if name != "figures" else first.unsqueeze(1)
        save_findings(
            replace(findings, **{name: torch.where(row, column, getattr(findings, name))}), path
        )
        with pytest.raises(FieldError, match="specialise"):
            load_findings(path)


def test_what_ships_is_about_the_field_that_ships(smollm2: LoadedModel) -> None:
    assert shipped_findings("smollm2", "another field") is None
    assert shipped_findings("../fields/smollm2", "x") is None


def test_a_real_layer_serves_what_anyone_can_see(real_keys) -> None:
    """Layer 2 of SmolLM2: a claimed holder of commas does hold commas, by counting."""
    field, keys = real_keys
    tally = LayerTally.empty(field)
    for part in keys:
        tally.add(part)
    held = claims_of(tally)[0][0]
    comma = OTHER.index(named("token")["comma"])
    assert TOKEN_FUNCTIONS[OTHER[comma]].name == "comma"
    rows = (held.function == comma).nonzero().squeeze(1)
    assert len(rows) >= 1
    best = rows[held.bits[rows].argmax()]
    group, row = int(held.head[best]), int(held.row[best])
    own = [(part.owner[group] == row).any(1) for part in keys if part.place.half == 1]
    has = [part.token[:, named("token")["comma"]] for part in keys if part.place.half == 1]
    share = torch.cat(has)[torch.cat(own)].float().mean()
    assert float(held.share[best]) == pytest.approx(float(share), abs=1e-5)
    assert float(share) > 3 * float(torch.cat(has).float().mean())
    # Levels agree: what a Document holds is what its Phrases hold.
    counts = tally.held.keys[0, 0]
    level = field.level[0]
    assert float(counts[level == 0].sum()) == float(counts[level == 2].sum())


def test_too_little_text_is_refused(smollm2: LoadedModel) -> None:
    with pytest.raises(InputError, match="nothing to measure on"):
        passages(smollm2, ["a few words only"], 1024, 10_000)
