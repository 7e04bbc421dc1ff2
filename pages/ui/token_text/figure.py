"""The component: tokens reach the browser as text and are only ever shown as text."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

if TYPE_CHECKING:
    from hsa.inference.text_agreement import TextAgreement

_FRONTEND = Path(__file__).parent / "frontend"


@cache
def _component() -> ComponentRenderer:
    return component(
        "hsa_token_text",
        css=(_FRONTEND / "tokens.css").read_text("utf-8"),
        js=(_FRONTEND / "tokens.js").read_text("utf-8"),
    )


def coloured_tokens(found: TextAgreement, *, key: str) -> None:
    """The text, darker where the next-token KL was larger; a token under the pointer is told."""
    from hsa.figures.token_label import token_in_text

    _component()(
        key=key,
        data={
            "tokens": [token_in_text(token) for token in found.tokens.strings],
            "kl": found.kl_nats.tolist(),
            "match": found.top_match.tolist(),
            "nats": found.nats.tolist(),
            "standard": found.standard_nats.tolist(),
            "prompt": found.prompt,
        },
    )
