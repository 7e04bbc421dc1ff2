"""What this server keeps for all visitors: one bounded store for each kind of thing.

A model or a field counts as one, captured layers, results and texts by their bytes.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from hsa.memory.store import Store

MODELS_KEPT = 3
FIELDS_KEPT = 4
GRIDS_KEPT = 64
TOKENS_KEPT = 64
CAPTURE_BYTES = 512_000_000
RESULT_BYTES = 256_000_000
TEXT_BYTES = 16_000_000


@st.cache_resource(max_entries=1, show_spinner=False)
def stores() -> dict[str, Store[Any]]:
    """The stores by what they keep."""
    return {
        "models": Store(MODELS_KEPT, _one, "entries"),
        "tokens": Store(TOKENS_KEPT, _one, "entries"),
        "fields": Store(FIELDS_KEPT, _one, "entries"),
        "layers": Store(CAPTURE_BYTES, _held_bytes),
        "results": Store(RESULT_BYTES, _held_bytes),
        "grids": Store(GRIDS_KEPT, _one, "entries"),
        "texts": Store(TEXT_BYTES, lambda text: len(text.encode())),
    }


def _one(kept: Any) -> int:
    return 1


def _held_bytes(kept: Any) -> int:
    from hsa.memory.content import held_bytes  # here: it needs torch, the first paint does not

    return held_bytes(kept)
