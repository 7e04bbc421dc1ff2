"""A field fitted here on real activations of MiniLM's first layers, and what it is good for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.attention.spending import spend
from hsa.errors import InputError
from hsa.evaluation.fidelity import fidelity
from hsa.field.model_field import ModelField
from hsa.field.splat_field import PHRASE
from hsa.fitting.fit import FitReport, fit
from hsa.fitting.settings import FitSettings, Text
from hsa.fitting.windows import first_tokens, windows
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from tests.first_layers import first_layers

SETTINGS = FitSettings(
    documents=4, sections=12, phrases=48, tokens_per_text=512, keys_kept=1024,
    rounds=5, calibration_tokens=128, queries=12,
)  # fmt: skip


@pytest.fixture(scope="module")
def model(minilm: LoadedModel) -> LoadedModel:
    return first_layers(minilm, layers=2)


@pytest.fixture(scope="module")
def halves(story: str) -> tuple[Text, Text]:
    middle = len(story) // 2
    return Text("first half", story[:middle]), Text("second half", story[middle:])


@pytest.fixture(scope="module")
def report(model: LoadedModel, halves: tuple[Text, Text]) -> FitReport:
    said: list[tuple[str, float | None]] = []
    first, second = halves
    found = fit(model, [first], [first], [second], SETTINGS, lambda s, f: said.append((s, f)))
    fractions = [fraction for _, fraction in said if fraction is not None]
    assert fractions == sorted(fractions)
    return found


@pytest.fixture(scope="module")
def field(report: FitReport) -> ModelField:
    return report.field


def test_levels_and_sources(field: ModelField, model: LoadedModel) -> None:
    assert field.layers == model.layers
    for heads in field.heads:
        assert len(heads) == model.key_value_heads
        for head in heads:
            assert torch.bincount(head.level).tolist() == [4, 12, 48]
            phrases = head.log_amplitude[head.rows(PHRASE)].exp().sum()
            assert float(phrases) == pytest.approx(1.0, abs=0.02)
    assert [source.name for source in field.fitted_on] == ["first half"]
    assert field.positions == 256


def test_splats_take_error_off_the_near_keys(
    field: ModelField, model: LoadedModel, halves: tuple[Text, Text]
) -> None:
    tokens = first_tokens(model.tokenize(halves[1].content), 128)
    table = fidelity(capture(model, tokens), field, 20, "per_head").summary()
    assert table["hsa"]["mean"] < 0.5 * table["window"]["mean"]
    assert table["hsa"]["mean"] < 0.5 * table["opened_only"]["mean"]
    assert table["hsa"]["reads"] <= 20
    assert table["window"]["reads"] == 0
    assert table["oracle_topk"]["mean"] < table["window"]["mean"]


def test_calibration_helps_on_text_that_it_did_not_see(
    field: ModelField, model: LoadedModel, halves: tuple[Text, Text]
) -> None:
    captured = capture(model, first_tokens(model.tokenize(halves[1].content), 128))
    plain = replace(field, temper=0 * field.temper, tilt=0 * field.tilt)
    calibrated = fidelity(captured, field, 20, "uniform").summary()["hsa"]
    assert calibrated["mean"] < fidelity(captured, plain, 20, "uniform").summary()["hsa"]["mean"]


def test_spending_chosen_is_the_best_measured(field: ModelField) -> None:
    best = min(field.spending_errors, key=lambda row: row[1])
    assert field.spending == best[0]


def test_rounding_costs_little(report: FitReport) -> None:
    stored = {way: error for way, error, _ in report.field.spending_errors}["per_head"]
    assert stored == pytest.approx(report.unrounded_error, rel=0.02)


def test_same_seed_same_field(model: LoadedModel, halves: tuple[Text, Text]) -> None:
    small = replace(
        SETTINGS, tokens_per_text=256, phrases=24, rounds=2, queries=4, calibration_tokens=64
    )
    first, second = (
        fit(model, [halves[0]], [halves[0]], [halves[1]], small).field for _ in range(2)
    )
    for one, other in zip(first.heads[1], second.heads[1], strict=True):
        assert torch.equal(one.position, other.position)
    assert torch.equal(first.tilt, second.tilt)


def test_spend_gives_the_mean_asked_for(field: ModelField) -> None:
    for mean in (6, 20, 41):
        plan = spend(field, mean, 128, "per_head")
        reads = torch.stack([layer.reads for layer in plan]).float()
        assert mean - 1.5 <= float(reads.mean()) <= mean
    beyond = torch.stack([layer.reads for layer in spend(field, 90, 128, "per_head")]).float()
    assert 88.5 <= float(beyond.mean()) <= 90, "more than any curve was measured at"
    few, many = (spend(field, mean, 128, "per_query")[1].stop_error for mean in (60, 100))
    assert few is not None and many is not None
    assert bool((many < few).all())
    everything = spend(field, 128, 128, "per_query")[0]
    assert everything.stop_error is None and int(everything.reads.min()) == 128
    with pytest.raises(InputError, match="0 reads"):
        spend(field, 0, 128)
    with pytest.raises(InputError, match="'greedy'"):
        spend(field, 9, 128, "greedy")


def test_windows_follow_the_text(model: LoadedModel, story: str) -> None:
    found = list(windows(model, story, 64, 256))
    assert [len(window) for window in found] == [64, 64, 64, 64]
    assert all(window.special[0] and window.special[-1] for window in found)
    first, second = found[0].strings[1:-1], found[1].strings[1:-1]
    assert first != second


def test_too_little_text_is_refused(model: LoadedModel) -> None:
    text = Text("scrap", "A scrap of text, far too short for so many splats as that.")
    with pytest.raises(InputError, match="too short"):
        fit(model, [text], [text], [text], SETTINGS)


def test_settings_out_of_bounds_are_refused() -> None:
    with pytest.raises(InputError, match="phrases"):
        FitSettings(phrases=1)
