"""What is sent to the browser says what the matrices said, to eight bits."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pages.ui.heatmap import SCALE_NAMES, Panel, ScaleName, encode
from pages.ui.heatmap.blob import decode
from pages.ui.heatmap.pyramid import SMALLEST_SIDE, pyramid
from pages.ui.heatmap.quantisation import BLANK, MIDDLE, Quantisation, positions

cells = st.one_of(st.just(np.nan), st.just(0.0), st.floats(-4, 4, width=32))
matrices = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=cells)


def labels(count: int) -> list[str]:
    return [f"t{at}" for at in range(count)]


def encoded(*panels: Panel, **options) -> tuple[dict, list[list[np.ndarray]]]:
    rows, columns = panels[0].values.shape
    given: dict[str, Any] = {"causal": False} | options
    return decode(encode(panels, labels(rows), labels(columns), **given))


def read_back(header: dict, levels: list[list[np.ndarray]], index: int = 0) -> np.ndarray:
    panel = header["panels"][index]
    quantisation = Quantisation(panel["kind"], panel["scale"], panel["largest"])
    return quantisation.values(levels[index][0])


@settings(max_examples=60, deadline=None)
@given(values=matrices, kind=st.sampled_from(["sequential", "diverging"]))
def test_linear_codes_are_within_half_a_step(values, kind):
    header, levels = encoded(Panel("a", values, kind, ""))
    back = read_back(header, levels)
    assert np.array_equal(np.isnan(back), np.isnan(values))
    largest = header["panels"][0]["largest"]
    step = np.where(values < 0, 1 / 30, 1 / 222) if kind == "sequential" else 1 / 127
    seen = ~np.isnan(values)
    error = np.abs(back - values)[seen]
    assert (error <= (step * np.ones_like(values))[seen] * largest * 0.501 + 1e-30).all()


@pytest.mark.parametrize("kind", ["sequential", "diverging"])
def test_a_log_scale_keeps_four_decades_and_says_where_it_ends(kind):
    values = np.array([[2.0, 0.2, 0.02, 0.002, 0.0003, 0.0001, 0.0]], dtype=np.float32)
    header, levels = encoded(Panel("a", values, kind, ""), scale="log")
    back = read_back(header, levels)
    assert header["panels"][0]["floor"] == pytest.approx(2e-4)
    np.testing.assert_allclose(back[0, :5], values[0, :5], rtol=0.05)
    assert (back[0, 5:] == 0).all()


@pytest.mark.parametrize("scale", SCALE_NAMES)
@pytest.mark.parametrize("kind", ["sequential", "diverging"])
def test_larger_values_never_get_smaller_positions(scale, kind):
    values = np.linspace(-0.3, 1, 501, dtype=np.float32)[None]
    codes = Quantisation(kind, scale, 1.0).codes(values)[0]
    assert (np.diff(positions(kind)[codes]) >= 0).all()
    assert positions(kind)[codes[-1]] == 1.0


def test_a_weight_below_zero_is_not_drawn_as_zero():
    values = np.array([[1.0, -0.5, 0.0]], dtype=np.float32)
    header, levels = encoded(Panel("a", values, "sequential", ""))
    assert header["panels"][0]["goes_below_zero"]
    assert read_back(header, levels)[0] == pytest.approx([1.0, -0.5, 0.0])


def test_difference_is_symmetric_about_zero():
    header, levels = encoded(Panel("a", np.array([[-3.0, 0.0, 1.0]], np.float32), "diverging", ""))
    assert header["panels"][0]["largest"] == 3.0
    assert levels[0][0].tolist() == [[1, MIDDLE, MIDDLE + 42]]


def test_weights_share_one_scale_unless_asked_not_to():
    small, large = np.full((2, 2), 0.1, np.float32), np.full((2, 2), 0.8, np.float32)
    panels = Panel("a", small, "sequential", ""), Panel("b", large, "sequential", "")
    difference = Panel("c", large - small, "diverging", "")
    header, _ = encoded(*panels, difference)
    assert [p["largest"] for p in header["panels"]] == pytest.approx([0.8, 0.8, 0.7])
    assert "share one scale" in header["scaling"]
    header, _ = encoded(*panels, shared_scale=False)
    assert [p["largest"] for p in header["panels"]] == pytest.approx([0.1, 0.8])
    assert "share" not in header["scaling"]


def test_keys_after_the_query_are_blank():
    values = np.ones((2, 4), np.float32)
    _, levels = encoded(Panel("a", values, "sequential", ""), causal=True)
    assert (levels[0][0] == BLANK).tolist() == [[False, False, False, True], [False] * 4]
    assert (values == 1).all(), "the caller's matrix is left alone"


def test_hiding_the_first_key_rescales_and_says_so():
    values = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    header, levels = encoded(Panel("a", values, "sequential", ""), hide_first_key=True)
    assert header["panels"][0]["largest"] == pytest.approx(0.2)
    assert (levels[0][0][:, 0] == BLANK).all()
    assert "first token hidden; colours rescaled" in header["scaling"]


@pytest.mark.parametrize("kind", ["sequential", "diverging"])
@pytest.mark.parametrize("shape", [(2048, 2048), (300, 1001), (129, 3)])
def test_one_hot_cell_survives_every_level(kind, shape):
    quantisation = Quantisation(kind, "linear", 1.0)
    values = np.zeros(shape, np.float32)
    values[:, : shape[1] // 2] = 0.01
    hot = shape[0] - 2, shape[1] - 1
    values[hot] = -1.0
    levels = pyramid(quantisation.codes(values), kind)
    assert max(levels[-1].shape) <= SMALLEST_SIDE < max(levels[-2].shape)
    for depth, level in enumerate(levels):
        at = hot[0] >> depth, hot[1] >> depth
        assert positions(kind)[level[at]] == -1.0
        assert (level == level[at]).sum() == 1


def test_a_block_is_blank_only_where_all_of_it_is():
    codes = np.full((130, 130), BLANK, np.uint8)
    codes[4, 5] = MIDDLE
    half = pyramid(codes, "diverging")[1]
    assert half[2, 2] == MIDDLE and (half != BLANK).sum() == 1


@settings(max_examples=30, deadline=None)
@given(tokens=st.lists(st.text(st.characters(), max_size=6), min_size=1, max_size=5))
def test_any_token_arrives_whole(tokens):
    tokens = [*tokens, "\ud83d", "\x00", "</script>", "שלום"]
    values = np.zeros((len(tokens), len(tokens)), np.float32)
    header, _ = decode(encode([Panel("a", values, "sequential", "")], tokens, tokens))
    assert header["queries"] == header["keys"] == tokens


def test_equal_input_gives_equal_bytes_and_another_note_does_not():
    values = np.eye(5, dtype=np.float32)

    def blob(note: str) -> bytes:
        return encode([Panel("a", values, "sequential", "", note)], labels(5), labels(5))

    assert blob("x") == blob("x")
    assert decode(blob("x"))[0]["digest"] != decode(blob("y"))[0]["digest"]


def test_matrices_of_nothing_are_drawn():
    for values in (np.zeros((3, 3), np.float32), np.full((3, 3), np.nan, np.float32)):
        header, _ = encoded(Panel("a", values, "sequential", ""), scale="log")
        assert header["panels"][0]["largest"] == 0.0


def test_refusals():
    ones = np.ones((2, 2), np.float32)
    with pytest.raises(ValueError, match="infinite"):
        Panel("a", np.full((1, 1), np.inf, np.float32), "sequential", "")
    with pytest.raises(ValueError, match="non-empty"):
        Panel("a", np.ones((0, 3), np.float32), "sequential", "")
    with pytest.raises(ValueError, match="labels"):
        encode([Panel("a", ones, "sequential", "")], labels(3), labels(2))
    with pytest.raises(ValueError, match="1 to 3"):
        encode([], labels(3), labels(2))
    with pytest.raises(ValueError, match="scale"):
        unknown = cast(ScaleName, "cubic")
        encode([Panel("a", ones, "sequential", "")], labels(2), labels(2), scale=unknown)
