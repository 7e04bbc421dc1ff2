"""Curves and evidence of an adaptation, drawn as they were recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hsa.adaptation.film import film
from hsa.adaptation.recording import Recording
from hsa.figures.adaptation import curves_figure, evidence_figure
from tests.adaptation.random_heads import random_field, random_text
from tests.adaptation.test_log import adaptation


@pytest.fixture(scope="module")
def shown() -> Recording:
    layer = adaptation()
    steps = [layer.read(random_text(number))[0] for number in range(7)]
    return film(random_field(1), steps, [f"text {n}" for n in range(7)], "x")


def test_every_curve_is_drawn_below_its_panel(shown: Recording) -> None:
    figure: Any = curves_figure(shown, step=3)
    assert len(figure.data) == len(shown.curves)
    for line, curve in zip(figure.data, shown.curves, strict=True):
        np.testing.assert_allclose(line.y, curve.values.numpy())
        assert line.name == f"{curve.panel}: {curve.name}"
    assert {shape.x0 for shape in figure.layout.shapes} == {3}


def test_evidence_of_a_splat_stands_at_the_steps_that_told_of_it(shown: Recording) -> None:
    assert shown.mass is not None
    number = next(
        at for at in range(len(shown.splat_id))
        if shown.born[at] > 0 and bool((~shown.mass[:, at].isnan()).any())
    )  # fmt: skip
    figure: Any = evidence_figure(shown, int(shown.splat_id[number]), step=2)
    mass, error = figure.data
    assert all(step >= int(shown.born[number]) for step in mass.x)
    np.testing.assert_allclose(mass.y, shown.mass[list(mass.x), number].numpy())
    assert list(error.x) == list(mass.x)
    made = [h for h in shown.happenings if h.accepted and number in h.after and h.kind != "drift"]
    assert made[0].kind in {note.text for note in figure.layout.annotations}


def test_of_a_splat_that_no_text_told_of_nothing_is_drawn(shown: Recording) -> None:
    assert shown.mass is not None
    for number in shown.mass.isnan().all(0).nonzero().squeeze(1).tolist():
        assert evidence_figure(shown, int(shown.splat_id[number]), step=0) is None
    with pytest.raises(KeyError):
        evidence_figure(shown, 10**6, step=0)
