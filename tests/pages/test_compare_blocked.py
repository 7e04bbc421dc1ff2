"""The blocked mode of the compare page, measured beside the reference."""

from __future__ import annotations

import re

import pytest

from tests.pages.test_compare import address, factors, said, visit


def test_blocks_are_compared_with_the_reference_at_the_same_reads() -> None:
    app = visit(model="smollm2", sample="dialogue", layer="18", head="7", opening="block",
                cell="60,20")  # fmt: skip
    words = said(app)
    assert "layer 18, head 7, blocked" in words
    found = re.search(
        r"output error \*\*([\d.]+)%\*\* against \*\*([\d.]+)%\*\*; their weights differ by "
        r"\*\*([\d.e-]+)\*\* on average.* \*\*([\d.]+)\*\* against \*\*([\d.]+)\*\*",
        words,
    )
    assert found is not None, words
    blocked, reference, weights, reads, reference_reads = map(float, found.groups())
    assert blocked > reference > 0, "a retrieval head fails under a shared opening"
    assert weights > 0
    assert reads == pytest.approx(reference_reads, rel=0.05) and reads < 53, "mean keys seen"
    assert words.count("✓ passed") == 3 and "the third beyond 1e-04" in words
    *shares, weight = factors(app)
    assert shares[0] * shares[1] * shares[2] * shares[3] == pytest.approx(weight, rel=3e-3)
    assert app.radio(key="ask-opening").value == "block"
    app.radio(key="ask-opening").set_value("query").run()
    assert "opening" not in address(app) and "blocked" not in app.subheader[0].value
    assert "at the same reads" not in said(app)


def test_reads_that_reach_every_key_leave_blocks_nothing_to_do() -> None:
    app = visit(model="smollm2", sample="fact", opening="block", reads="500")
    assert "These reads reach every key of this text" in said(app)


def test_one_token_has_no_blocks() -> None:
    assert "One token sees only itself" in said(visit(model="smollm2", text="Hi", opening="block"))


def test_a_model_that_reads_both_ways_has_blocks_too() -> None:
    app = visit(model="minilm", sample="dialogue", layer="2", head="3", opening="block",
                cell="9,40", reads="12")  # fmt: skip
    words = said(app)
    assert "layer 2, head 3, blocked" in words and "of each head in their own block" in words
    found = re.search(r"output error \*\*([\d.]+)%\*\* against \*\*([\d.]+)%", words)
    assert found is not None and 0 < float(found[1]) < 100, words
    assert words.count("✓ passed") == 3
    *shares, weight = factors(app)
    assert shares[0] * shares[1] * shares[2] * shares[3] == pytest.approx(weight, rel=3e-3)
