"""What a run must tell: nothing falls back to standard attention silently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.plain import plain

if TYPE_CHECKING:
    from hsa.inference.ledger import Notice


def notices(fallbacks: int, told: Sequence[Notice], where: str) -> None:
    """How often standard attention answered in place of HSA, and why.

    Args:
        where: in which run, as the end of a sentence.
    """
    if not told:
        return
    often = "once" if fallbacks == 1 else f"{fallbacks:,} times"
    st.warning(
        f"**Standard attention answered in place of HSA {often}** {plain(where)}: "
        f"{plain(_line(told[0]))}{'.' if len(told) == 1 else ', and others.'}"
    )
    if len(told) > 1:
        with st.expander(f"All {len(told):,} notices"):
            st.dataframe(
                [
                    {"kind": n.kind, "layer": n.layer, "head": n.head, "message": n.message}
                    for n in told
                ],
                hide_index=True,
                height=220,
            )


def _line(notice: Notice) -> str:
    head = "" if notice.head is None else f", head {notice.head}"
    return f"layer {notice.layer}{head}: {notice.message}"
