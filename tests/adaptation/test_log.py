"""The log: what is written comes back, and nothing damaged is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hsa.adaptation.lineage import (
    HeadRecord,
    Start,
    StepRecord,
    checksum,
    start_record,
    step_record,
)
from hsa.adaptation.log_file import LogWriter, Record
from hsa.adaptation.replay import read_log, rebuilt
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.strategy import LayerAdaptation
from hsa.attention.spending import Spending
from hsa.errors import FieldError

from .random_heads import random_field, random_text

SETTINGS = AdaptationSettings(
    every_tokens=0, hold_every=3, held_tokens=96, held_queries=16, queries=8, keys_kept=256,
    birth_distance=0.2, mitosis_strain=0.5, merge_cost=50.0, patience=1, death_share=5.0,
    birth_rate=0.1, mitosis_rate=0.1, merge_rate=0.1, death_rate=0.05,
)  # fmt: skip


def adaptation(settings: AdaptationSettings = SETTINGS) -> LayerAdaptation:
    fields = [random_field(1), random_field(2)]
    weights = torch.full((2, 2, 3), 0.5)
    return LayerAdaptation(
        fields, weights, weights, lambda tokens: Spending(torch.full((4,), 20)), settings, layer=3
    )


def run(path: Path, texts: int = 7, settings: AdaptationSettings = SETTINGS) -> LayerAdaptation:
    """A run over random texts, logged as `hsa.fitting.adapt` does it."""
    layer = adaptation(settings)
    writer = LogWriter.create(path)
    writer.append(start_record(Start(
        "model", "print", settings, (), (),
        tuple((3, group, checksum(field)) for group, field in enumerate(layer.fields)),
    )))  # fmt: skip
    for number in range(texts):
        steps = layer.read(random_text(number))
        heads = tuple(
            HeadRecord(3, group, step, checksum(layer.fields[group]))
            for group, step in enumerate(steps)
        )
        writer.append(step_record(StepRecord(number + 1, f"text {number}", 160, False, 3, heads)))
    writer.append(Record({"record": "end", "texts": texts}, b""))
    return layer


def before() -> dict:
    return {(3, group): field for group, field in enumerate(adaptation().fields)}


def test_replay_equals_the_run_bit_for_bit_at_every_step(tmp_path: Path) -> None:
    layer = run(tmp_path / "a.log")
    log = read_log(tmp_path / "a.log")
    assert log.finished and log.last_step == 7
    kinds = {
        edit.kind
        for step in log.steps for head in step.heads for trial in head.step.trials
        if trial.accepted for edit in trial.edits()
    }  # fmt: skip
    assert len(kinds) >= 3, f"too few kinds happened to prove anything: {kinds}"
    after = rebuilt(log, before())
    for group, field in enumerate(layer.fields):
        assert checksum(after[3, group]) == checksum(field)
    for step in range(1, 8):
        rebuilt(log, before(), upto=step)


def test_the_same_texts_give_the_same_log(tmp_path: Path) -> None:
    run(tmp_path / "a.log")
    run(tmp_path / "b.log")
    assert (tmp_path / "a.log").read_bytes() == (tmp_path / "b.log").read_bytes()


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_a_changed_byte_is_refused(tmp_path: Path, place: float) -> None:
    run(tmp_path / "a.log", texts=4)
    content = bytearray((tmp_path / "a.log").read_bytes())
    content[int(place * len(content))] ^= 1
    (tmp_path / "a.log").write_bytes(content)
    with pytest.raises(FieldError):
        read_log(tmp_path / "a.log")


def test_a_log_cut_in_the_middle_is_refused_and_can_be_continued(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    run(path, texts=4)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(0.8 * len(whole))])
    with pytest.raises(FieldError, match="--resume"):
        read_log(path)
    LogWriter.reopen(path).append(Record({"record": "end", "texts": 0}, b""))
    assert read_log(path).finished


def test_files_of_another_kind_and_of_other_formats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with pytest.raises(FieldError, match="cannot be read"):
        read_log(path)
    path.write_bytes(b"\x89PNG....")
    with pytest.raises(FieldError, match="no adaptation log"):
        read_log(path)
    path.write_bytes(b"HSA-LOG\xff")
    with pytest.raises(FieldError, match="newer"):
        read_log(path)
    for older in (b"HSA-LOG\x01", b"HSA-LOG"):
        path.write_bytes(older)
        with pytest.raises(FieldError, match="older"):
            read_log(path)
    LogWriter.create(path)
    with pytest.raises(FieldError, match="lacks"):
        read_log(path)


def test_a_replay_from_another_field_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "a.log", texts=2)
    log = read_log(tmp_path / "a.log")
    with pytest.raises(FieldError, match="another field"):
        rebuilt(log, {(3, 0): random_field(5), (3, 1): random_field(2)})


def test_what_was_decided_is_taken_up_and_leads_on_to_the_same(tmp_path: Path) -> None:
    """Resuming: the first texts by the log, the others anew, equal a run without a break."""
    whole = run(tmp_path / "a.log")
    log = read_log(tmp_path / "a.log")
    again = adaptation()
    for number, step in enumerate(log.steps):
        decided = [head.step for head in step.heads] if number < 4 else None
        again.read(random_text(number), decided)
    for field, wanted in zip(again.fields, whole.fields, strict=True):
        assert checksum(field) == checksum(wanted)
    for state, wanted in zip(again.states, whole.states, strict=True):
        assert torch.equal(state.keys.x, wanted.keys.x)
        assert torch.equal(state.head.evidence.mass, wanted.head.evidence.mass)
        assert state.thresholds == wanted.thresholds and state.pace == wanted.pace
