"""What the map sends to the browser, and what it takes from there."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.atlas_map import Colours, Drawing, Marks, Told, encode, standalone_html
from pages.ui.atlas_map.blob import decode, header_of
from pages.ui.atlas_map.figure import _bits

HOSTILE = '</script><img src=x onerror="window.hacked=1">\ud800\0'


def drawing(**changes) -> Drawing:
    """A Document, two Sections and three Phrases."""
    shown = Drawing(
        title=HOSTILE,
        method="by hand",
        heads=("one",),
        head=np.zeros(6),
        splat_id=np.array([5, 7, 9, 100, 101, 2_000_000_000]),
        level=np.array([0, 1, 1, 2, 2, 2]),
        parent=np.array([-1, 0, 0, 1, 1, 2]),
        x=np.linspace(-1, 1, 6),
        y=np.array([0.0, 1, -1, 1, -1, 0.5]),
        words=[HOSTILE] * 6,
        told=(
            Told("Mass", np.array([1, 0.5, 0.5, np.nan, 0, 0.25]), percent=True, log=True),
            Told("Kind", np.array([0.0, 1, np.nan, 0, 0, 1]), names=("a", HOSTILE)),
        ),
        colours=Colours(0, ("#000000", "#ffffff"), ("#111111", "#eeeeee")),
        marks=Marks(
            np.array([0.1, np.nan]), np.array([0.2, np.nan]), np.array([3, -1]), np.zeros(2),
            np.array([0, 0]), np.array([0, 1]),
        ),
        tokens=[HOSTILE],
    )  # fmt: skip
    return replace(shown, **changes)


def test_the_blob_holds_the_drawing() -> None:
    shown = drawing()
    header, arrays = decode(encode(shown))
    assert header["title"] == HOSTILE and header["tokens"] == [HOSTILE]
    assert arrays["splat_id"].tolist() == shown.splat_id.tolist()
    assert arrays["parent"].tolist() == shown.parent.tolist()
    assert np.allclose(arrays["x"], shown.x) and np.allclose(arrays["mark_y"][0], 0.2)
    values = arrays["values"].reshape(2, 6)
    assert np.allclose(values[0], shown.told[0].values, equal_nan=True)
    assert header["told"][1]["names"] == ["a", HOSTILE]


def test_another_layout_or_colour_is_another_map_of_the_same_splats() -> None:
    first = header_of(encode(drawing()))
    moved = header_of(encode(drawing(y=-drawing().y)))
    painted = header_of(encode(drawing(colours=Colours(1, ("#000",) * 2, ("#111",) * 2))))
    others = header_of(encode(drawing(splat_id=np.arange(6))))
    assert first["splats"] == moved["splats"] == painted["splats"] != others["splats"]
    assert len({one["digest"] for one in (first, moved, painted, others)}) == 4
    assert encode(drawing()) == encode(drawing()), "or every rerun would send it again"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"x": np.zeros(5)}, "as many of everything"),
        ({"y": np.full(6, np.nan)}, "finite"),
        ({"level": np.array([0, 1, 1, 2, 2, 3])}, "levels go from 0 to 2"),
        ({"parent": np.array([-1, 0, 0, 1, 1, 6])}, "parents are rows"),
        ({"colours": Colours(2, (), ())}, "one of 2 attributes"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        drawing(**changes)


def test_which_stand_out_is_a_bit_a_splat() -> None:
    shown = np.arange(19) % 3 == 0
    sent = _bits(shown)
    assert sent is not None
    bits = np.unpackbits(np.frombuffer(base64.b64decode(sent), np.uint8), bitorder="little")
    assert bits[:19].astype(bool).tolist() == shown.tolist()
    assert _bits(None) is None and _bits(np.ones(3, dtype=bool)) is None


def test_names_are_no_markup_in_a_file_of_its_own() -> None:
    page = standalone_html(encode(drawing()), HOSTILE)
    assert "<img" not in page and page.count("</script>") == 2
    assert page.encode("utf-8") and "http://" not in page.replace("http://www.w3.org", "")


def page() -> None:
    import streamlit as st

    from pages.ui.atlas_map import atlas_map, encode
    from tests.pages.ui.test_atlas_map import drawing

    st.text(str(atlas_map(encode(drawing()), 6, key="map")))


def test_the_row_chosen_by_python_holds_and_nonsense_is_none() -> None:
    for asked, wanted in ((None, "None"), (4, "4"), (6, "None"), (-1, "None"), ("2", "None"),
                          (True, "None")):  # fmt: skip
        app = AppTest.from_function(page)
        app.session_state["map"] = asked
        app.run()
        assert not app.exception and app.text[0].value == wanted
