"""The cost drawer: what a page took, told to its visitor alone, beside the server's totals."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from hsa.inference.ledger import Ledger
from pages.ui.cost import Cost

ROOT = Path(__file__).parents[3]


def visit(page: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    return (app.switch_page(page) if page else app).run()


def drawer(app: AppTest) -> str:
    assert not app.exception, app.exception
    (found,) = (part for part in app.sidebar.expander if part.label == "Cost of this page")
    (shown,) = found.caption
    return str(shown.value)


def steps(app: AppTest) -> list[str]:
    return re.findall(r"^(.+): [\d.]+ s {0,2}$", drawer(app), re.MULTILINE)


def kept(app: AppTest) -> tuple[int, int]:
    found = re.search(r"Kept results: (\d+) used again, (\d+) made", drawer(app))
    assert found is not None
    return int(found[1]), int(found[2])


def test_a_page_that_stops_early_shows_its_drawer() -> None:
    words = drawer(visit("pages/compare.py", model="minilm"))
    assert (
        "Time of all engine steps: 0.00 s" in words
        and "Fallbacks to standard attention: 0" in words
    )
    assert re.search(r"Left for this process: [\d.]+ GB", words)
    assert "Kept by this server for all visitors" in words and "layers: " in words


def test_what_was_made_is_counted_once_and_then_used_again() -> None:
    st.cache_resource.clear()
    case = {"model": "minilm", "sample": "dialogue"}
    first = visit("", **case)
    assert {"Loading the model", "Forward pass", "Both attentions, all heads"} <= set(steps(first))
    assert kept(first)[1] == 5, "model, tokens, field, reads, grid"
    reads = re.search(
        r"of a query: HSA ([\d.]+), standard attention ([\d.]+) keys .*T = (\d+)", drawer(first)
    )
    assert reads is not None, drawer(first)
    assert float(reads[1]) < float(reads[2]) == int(reads[3]), "it reads both ways"
    second = visit("", **case)
    assert steps(second) == [] and kept(second) == (5, 0)
    assert "of a query: HSA" in drawer(second)


def test_a_click_in_a_part_of_the_page_adds_to_the_record() -> None:
    app = visit("pages/compare.py", model="minilm", sample="fact", layer="2")
    assert "Explaining a cell" not in steps(app)
    app.selectbox(key="ask-cell-query").set_value(7).run()
    assert "Explaining a cell" in steps(app)


def test_a_text_of_a_kind_that_is_refused_leaves_the_cost_of_what_was_done() -> None:
    app = visit("pages/compare.py", model="minilm", text=" \n ")
    assert app.error and kept(app)[0] + kept(app)[1] >= 1


def test_steps_inside_others_count_once() -> None:
    record = Cost()
    with record.step("outer"):
        time.sleep(0.02)
        for _ in range(2):
            with record.step("inner"):
                time.sleep(0.03)
    assert list(record.seconds) == ["inner", "outer"]
    assert 0.06 <= record.seconds["inner"] < 0.12
    assert 0.02 <= record.seconds["outer"] < 0.05


def test_a_step_that_fails_is_counted_and_ended() -> None:
    record = Cost()
    with pytest.raises(ZeroDivisionError), record.step("broken"):
        raise ZeroDivisionError
    with record.step("next"):
        pass
    assert list(record.seconds) == ["broken", "next"]


def test_peak_memory_is_the_largest_of_the_steps() -> None:
    record = Cost()
    with record.step("large"):
        torch.ones(50_000_000)
    with record.step("small"):
        torch.ones(10)
    assert record.process_peak > 150_000_000


def test_fallbacks_are_those_of_the_programs_that_ran() -> None:
    record, ledger = Cost(), Ledger(1, 2)
    ledger.read(0, torch.tensor([30.0, 50.0]), torch.tensor([100.0, 100.0]), 10)
    for _ in range(2):
        record.ran(ledger, 16)
    ledger.fell_back(0, 1, "not finite")
    assert record.fallbacks == 1
    assert record.reads is not None
    assert (record.reads.read, record.reads.keys) == pytest.approx((4.0, 10.0))
