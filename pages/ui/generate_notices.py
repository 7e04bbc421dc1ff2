"""What a run must tell: nothing falls back to standard attention silently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.plain import plain

if TYPE_CHECKING:
    from hsa.inference.ledger import Notice

FIRST = 3


def notices(fallbacks: int, told: Sequence[Notice], where: str) -> None:
    """How often standard attention answered in place of HSA, and why.

    Args:
        where: in which run, as the end of a sentence.
    """
    if not told:
        return
    lines = [
        f"**{fallbacks:,} {'time' if fallbacks == 1 else 'times'} standard attention answered in "
        f"place of HSA** {plain(where)}."
    ]
    lines += [f"- {plain(_line(notice))}" for notice in told[:FIRST]]
    if len(told) > FIRST:
        lines.append(f"- and {len(told) - FIRST:,} more, listed below")
    st.warning("\n".join(lines))
    if len(told) > FIRST:
        with st.expander("Every notice"):
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
