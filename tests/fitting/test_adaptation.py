"""Adapting a real model's field: logged, resumable, and apart from the shipped one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hsa.adaptation.lineage import StepRecord, checksum
from hsa.adaptation.replay import read_log, rebuilt
from hsa.adaptation.settings import AdaptationSettings
from hsa.errors import FieldError, InputError
from hsa.field.model_field import ModelField
from hsa.field.shipped import shipped_field
from hsa.fitting.adapt import Adapted, Which, adapt
from hsa.fitting.settings import Text
from hsa.models.loaded import LoadedModel

LAYER = 4
SETTINGS = AdaptationSettings(
    tokens_per_text=192, every_tokens=0, hold_every=3, held_queries=16, queries=8, keys_kept=1024
)


@pytest.fixture(scope="module")
def field(smollm2: LoadedModel) -> ModelField:
    return shipped_field("smollm2", smollm2.fingerprint)


@pytest.fixture(scope="module")
def texts(story: str) -> list[Text]:
    return [Text(f"part {n}", story[1200 * n : 1200 * (n + 1)]) for n in range(5)]


def run(
    model: LoadedModel, field: ModelField, texts: list[Text], log: Path, **more: object
) -> Adapted:
    which = Which({LAYER: (0, 2)})
    return adapt(model, field, texts, SETTINGS, which, log, **more)  # type: ignore[arg-type]


def test_a_run_changes_the_chosen_heads_alone_and_replays(
    smollm2: LoadedModel, field: ModelField, texts: list[Text], tmp_path: Path
) -> None:
    before = [[checksum(head) for head in heads] for heads in field.heads]
    adapted = run(smollm2, field, texts, tmp_path / "a.log")
    assert [[checksum(head) for head in heads] for heads in field.heads] == before
    for layer, heads in enumerate(adapted.field.heads):
        for group, head in enumerate(heads):
            changed = checksum(head) != before[layer][group]
            assert not changed or (layer, group) in ((LAYER, 0), (LAYER, 2))
    log = read_log(tmp_path / "a.log")
    assert log.finished and any(
        trial.accepted for step in log.steps for head in step.heads for trial in head.step.trials
    )
    start = {(LAYER, group): head for group, head in enumerate(field.heads[LAYER])}
    after = rebuilt(log, start)
    for group in (0, 2):
        assert checksum(after[LAYER, group]) == checksum(adapted.field.heads[LAYER][group])


def test_a_run_killed_half_way_goes_on_to_the_same_end(
    smollm2: LoadedModel, field: ModelField, texts: list[Text], tmp_path: Path
) -> None:
    whole = run(smollm2, field, texts, tmp_path / "a.log")
    content = (tmp_path / "a.log").read_bytes()
    (tmp_path / "b.log").write_bytes(content[: int(0.7 * len(content))])  # In a record's middle.
    with pytest.raises(FieldError):
        read_log(tmp_path / "b.log")
    again = run(smollm2, field, texts, tmp_path / "b.log", resume=True)
    assert (tmp_path / "b.log").read_bytes() == content
    for one, other in zip(whole.field.heads[LAYER], again.field.heads[LAYER], strict=True):
        assert checksum(one) == checksum(other)


def test_stopping_keeps_what_was_learned_and_the_run_can_go_on(
    smollm2: LoadedModel, field: ModelField, texts: list[Text], tmp_path: Path
) -> None:
    seen: list[StepRecord] = []
    stopped = run(
        smollm2, field, texts, tmp_path / "a.log", told=seen.append, stop=lambda: len(seen) >= 2
    )
    assert stopped.stopped and not read_log(tmp_path / "a.log").finished
    run(smollm2, field, texts, tmp_path / "a.log", resume=True)
    assert read_log(tmp_path / "a.log").finished


def test_a_log_is_not_continued_with_other_texts_or_once_it_is_finished(
    smollm2: LoadedModel, field: ModelField, texts: list[Text], tmp_path: Path
) -> None:
    run(smollm2, field, texts[:2], tmp_path / "a.log")
    with pytest.raises(InputError, match="finished"):
        run(smollm2, field, texts[:2], tmp_path / "a.log", resume=True)
    with pytest.raises(InputError, match="other texts"):
        run(smollm2, field, texts[1:3], tmp_path / "a.log", resume=True)


def test_texts_that_say_nothing_are_passed_over(
    smollm2: LoadedModel, field: ModelField, texts: list[Text], tmp_path: Path
) -> None:
    nothing = [Text("empty", ""), Text("blank", " \n"), Text("one word", "whale")]
    adapted = run(smollm2, field, [*nothing, *texts[:2]], tmp_path / "a.log")
    assert adapted.passed_over == ("empty", "blank", "one word")
    with pytest.raises(InputError, match="nothing to learn"):
        run(smollm2, field, nothing, tmp_path / "b.log")


@pytest.mark.parametrize(
    "content",
    ["word " * 400, "слово и дело " * 100, "\x00\ud800<script>" * 60, "鯨" * 300],
    ids=["the same word", "another script", "hostile", "another writing"],
)
def test_odd_texts_change_no_field_for_the_worse(
    smollm2: LoadedModel, field: ModelField, texts: list[Text], tmp_path: Path, content: str
) -> None:
    odd = [Text(f"odd {n}", content) for n in range(3)]
    adapted = run(smollm2, field, [*texts[:1], *odd], tmp_path / "a.log")
    for head in adapted.field.heads[LAYER]:
        assert bool(torch.isfinite(head.position).all() and torch.isfinite(head.log_spread).all())
    for step in read_log(tmp_path / "a.log").steps:
        for head in step.heads:
            for trial in head.step.trials:
                assert not trial.accepted or trial.objective[1] <= trial.objective[0]
