"""How far the two were apart on the text itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.generate_downloads import agreement_downloads
from pages.ui.generate_lanes import METRIC
from pages.ui.generate_notices import notices
from pages.ui.take_away import CAMERA
from pages.ui.token_text import coloured_tokens

if TYPE_CHECKING:
    from hsa.inference.text_agreement import TextAgreement


def agreement(found: TextAgreement) -> None:
    """Means, the text in its tokens, and KL along it."""
    from hsa.figures.next_token import means_table, next_token_figure, next_token_table

    st.subheader("Agreement on the text itself", anchor=False)
    st.caption(
        "The prompt and what HSA wrote, read once by each attention: KL(standard ‖ HSA) of the "
        "two predictions of every token, and what the token that stands there cost."
    )
    means = found.everywhere
    if means is None:
        st.info("A text of one token predicts nothing that could be compared.")
        return
    with st.container(horizontal=True):
        st.metric("Mean KL", f"{means.kl_nats:.4f} nats", width=METRIC)
        st.metric(
            "Same likeliest token",
            f"{means.top_share:.1%}",
            width=METRIC,
            help="Share of the tokens at which both would write the same at temperature 0.",
        )
        cost = "Mean −log p of the tokens that stand there."
        st.metric("Cost under HSA", f"{means.nats:.3f} nats", width=METRIC, help=cost)
        st.metric("Under standard", f"{means.standard_nats:.3f} nats", width=METRIC, help=cost)
    notices(found.fallbacks, found.notices, "in this measurement")
    coloured_tokens(found, key="generate-tokens")
    st.plotly_chart(
        next_token_figure(found),
        key="generate-kl",
        config=CAMERA,
    )
    column = st.column_config.NumberColumn
    units = {
        "kl_nats": column("mean KL, nats", format="%.5f"),
        "top_share": column("same likeliest", format="percent"),
        "hsa_nats": column("HSA, nats", format="%.4f"),
        "standard_nats": column("standard, nats", format="%.4f"),
    }
    st.dataframe(means_table(found), hide_index=True, column_config=units)
    with st.expander("Every token as a table"):
        st.dataframe(next_token_table(found), hide_index=True, height=260)
    agreement_downloads(found)
