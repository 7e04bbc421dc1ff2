"""A text beyond the machine is refused on the page before it dies, and others go on."""

from __future__ import annotations

import psutil
import pytest
import streamlit as st

from hsa.memory.available import OWN_LIMIT
from tests.pages.test_compare import said
from tests.pages.ui.test_cost import visit


@pytest.mark.parametrize("page", ["", "pages/compare.py"])
def test_a_text_that_would_not_fit_is_refused(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_resource.clear()
    case = {"model": "minilm", "sample": "dialogue"}
    monkeypatch.setenv(OWN_LIMIT, "1000")
    app = visit(page, **case)
    (refusal,) = app.error
    told = str(refusal.value).replace("\\", "")
    assert "A text of 105 tokens in all-MiniLM-L6-v2 would not fit into memory" in told
    assert "an estimate of" in told and "at most 0.0 MB" in told and "Try: " in told
    monkeypatch.delenv(OWN_LIMIT)
    app.run()
    assert not app.error and ("Over 72 heads" in said(app) or "layer 0, head 0" in said(app))


def test_maps_that_would_not_fit_are_refused_where_the_layer_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The forward pass is kept from before; the attention of another head is not."""
    visit("pages/compare.py", model="minilm", sample="dialogue")
    monkeypatch.setenv(OWN_LIMIT, str(psutil.Process().memory_info().rss // 2))
    app = visit("pages/compare.py", model="minilm", sample="dialogue", layer="3", head="2")
    (refusal,) = app.error
    assert "HSA of 105 queries over 105 tokens would not fit" in str(refusal.value)
