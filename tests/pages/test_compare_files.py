"""What can be taken away from a comparison: it is whole, and its tokens are text."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch

from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.spending import Spending
from hsa.attention.views import FramedLayer, into_layer
from hsa.evaluation.agreement import HeadComparison, compare_head
from hsa.figures import comparison_files as files
from hsa.figures.token_label import for_plotly, token_label
from tests.attention.random_layers import random_layer

TOKENS, HEAD, QUERY = 90, 1, 77
HOSTILE = "</script><script>window.hacked=1</script><b>$x$%{y}\n\u202e"


@dataclass(frozen=True)
class Compared:
    result: HSAResult
    layer: FramedLayer
    compared: HeadComparison
    strings: tuple[str, ...]

    @property
    def row(self) -> tuple:
        return self.result, self.layer, self.strings, HEAD, QUERY


@pytest.fixture(scope="module")
def given() -> Compared:
    activations, field = random_layer(3, TOKENS, 2, 2)
    result = attend(activations, field, Spending(torch.full((4,), 8)))
    layer = into_layer(activations, field)
    strings = tuple(HOSTILE if at % 3 == 0 else f" w{at}" for at in range(TOKENS))
    return Compared(result, layer, compare_head(result, layer, HEAD), strings)


def test_npz_holds_both_matrices_outputs_and_tokens(given: Compared) -> None:
    loaded = np.load(io.BytesIO(files.comparison_npz(given.compared, given.strings)))
    assert loaded["tokens"].tolist() == list(given.strings)
    for name in ("standard", "hsa"):
        np.testing.assert_allclose(loaded[name].sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(loaded["hsa_output"], given.result.output[HEAD].numpy())
    assert loaded["hsa_total_variation"].shape == loaded["opened_only_kl_nats"].shape == (TOKENS,)


def test_csv_of_a_row_sums_to_one_in_both_attentions(given: Compared) -> None:
    row = pd.read_csv(io.BytesIO(files.row_csv(*given.row)))
    assert row.position.tolist() == list(range(QUERY + 1))
    assert row.token.tolist() == list(given.strings[: QUERY + 1])
    assert row.standard.sum() == pytest.approx(1, abs=1e-6)
    assert row.hsa.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(row.difference, row.hsa - row.standard, atol=1e-12)
    np.testing.assert_allclose(row.hsa, given.compared.hsa[QUERY, : QUERY + 1], atol=1e-6)
    closed = row.read_as.isin(["Document", "Section", "Phrase"])
    assert closed.any() and (row.splat.notna() == closed).all()


def test_csv_of_the_contributors_sums_to_one_and_covers_every_key(given: Compared) -> None:
    members = pd.read_csv(io.BytesIO(files.contributors_csv(*given.row)))
    assert members.weight.sum() == pytest.approx(1, abs=1e-5)
    assert members["keys"].sum() == QUERY + 1
    row = pd.read_csv(io.BytesIO(files.row_csv(*given.row)))
    for splat in members[members.read_as == "Phrase"].itertuples():
        own = row[(row.read_as == "Phrase") & (row.splat == splat.id_or_position)]
        assert own.hsa.sum() == pytest.approx(splat.weight, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("scale", ["linear", "gamma", "log"])
def test_html_is_one_file_in_which_tokens_are_text(given: Compared, scale: str) -> None:
    maps = files.maps_html(given.compared, given.strings, "weight", "a head", scale, True)
    drawn = maps.decode().split("Plotly.newPlot", 1)[1]
    assert "<script>window.hacked" not in drawn and "<b>$x" not in drawn
    assert "first token hidden" in drawn
    assert ("square" in drawn) == (scale != "linear"), "a scale that is not linear is named"
    for page in (
        files.agreement_html(given.compared, given.strings, "a head"),
        files.contributors_html(*given.row, "weight", "a head"),
        files.contributors_html(*given.row, "contribution", "a head"),
    ):
        assert b"<script>window.hacked" not in page
        assert b'src="http' not in page, "it needs no network"


@pytest.mark.parametrize(
    ("token", "label"),
    [(" word", "word"), ("   ", "␣␣␣"), ("\n\n", "↵↵"), ("", "∅"), ("\u202e\0", "\ufffd\ufffd")],
)
def test_labels_are_one_line(token: str, label: str) -> None:
    assert token_label(token) == label
    assert len(token_label(40 * "long")) <= 32
    assert for_plotly("<b>$%{x}&") == "&lt;b&gt;&#36;%&#123;x}&amp;"
