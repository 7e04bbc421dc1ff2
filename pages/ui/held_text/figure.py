"""The component: tokens reach the browser as text and are only ever shown as text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

if TYPE_CHECKING:
    from hsa.specialization.portrait import Portrait

_FRONTEND = Path(__file__).parent / "frontend"


@cache
def _component() -> ComponentRenderer:
    return component(
        "hsa_held_text",
        css=(_FRONTEND / "held.css").read_text("utf-8"),
        js=(_FRONTEND / "held.js").read_text("utf-8"),
    )


def held_text(
    shown: Portrait, strings: Sequence[str], stretches: Sequence[range], *, key: str
) -> None:
    """Stretches of the text, the splat's tokens darker the more standard attention they receive;
    a token under the pointer is told.
    """
    from hsa.figures.token_label import token_in_text

    numbers = zip(
        shown.positions.tolist(),
        shown.received_standard.tolist(),
        shown.received_hsa.tolist(),
        shown.given_standard[shown.positions].tolist(),
        shown.given_hsa[shown.positions].tolist(),
        strict=True,
    )
    _component()(
        key=key,
        data={
            "stretches": [
                {"first": of.start, "tokens": [token_in_text(strings[at]) for at in of]}
                for of in stretches
            ],
            "held": [list(of) for of in numbers],
            "tokens": shown.tokens,
        },
    )
