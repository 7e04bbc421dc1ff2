"""Evidence in a byte: what is read back is what was measured, to an eighth."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.adaptation.evidence_log import LEAST, logged, values
from hsa.adaptation.film import film
from hsa.adaptation.lineage import HeadRecord, StepRecord, step_of, step_record

from .random_heads import random_field, random_head, random_text
from .test_log import adaptation


@given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=20))
@settings(deadline=None)
def test_values_come_back_to_an_eighth(told: list[float]) -> None:
    given = torch.tensor(told)
    head = random_head(1)
    evidence = replace(head.evidence, mass=given)
    back = values(logged(evidence).mass)
    small = given < LEAST
    assert bool((back[small] == 0).all())
    there = given[~small].clamp_max(1.0)
    assert bool(((back[~small] / there).log().abs() < 0.125).all())


def test_a_step_keeps_its_evidence_in_the_log_and_in_the_film() -> None:
    layer = adaptation()
    steps = [layer.read(random_text(number)) for number in range(6)]
    for step in steps[-1]:
        assert step.evidence is not None
    last = step_record(
        StepRecord(6, "text", 160, False, 3, (HeadRecord(3, 0, steps[-1][0], "sum"),))
    )
    back = step_of(last).heads[0].step.evidence
    kept = steps[-1][0].evidence
    assert back is not None and kept is not None
    assert torch.equal(back.mass, kept.mass) and torch.equal(back.error, kept.error)

    shown = film(random_field(1), [of[0] for of in steps], [f"text {n}" for n in range(6)], "x")
    assert shown.mass is not None and shown.error is not None
    assert shown.mass.shape == (7, len(shown.splat_id))
    number = {splat: at for at, splat in enumerate(shown.splat_id.tolist())}
    rows = [number[splat] for splat in layer.fields[0].splat_id.tolist()]
    assert torch.equal(shown.mass[-1, rows], values(kept.mass))
    assert torch.equal(shown.error[-1, rows], values(kept.error))
    gone = shown.died < 7
    assert bool(gone.any()) and bool(shown.mass[-1, gone].isnan().all())
    held = [at for at, of in enumerate(steps, 1) if of[0].evidence is None]
    assert held and bool(shown.mass[held].isnan().all())
