"""A field that was opened: what it was made from, and its use in place of the shared one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from hsa.errors import FieldError, HSAError
from pages.ui import engine, own_field
from pages.ui.plain import plain
from pages.ui.refusals import show as show_refusal
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.sharing.given_file import GivenField


def show(given: GivenField) -> None:
    """What it is, and the button that uses it."""
    field = given.field
    tokens = sum(source.tokens for source in field.fitted_on)
    splats = sum(head.splats for heads in field.heads for head in heads)
    st.markdown(
        plain(
            f"A field of {field.model} ({field.fingerprint[:12]}): {splats:,} splats in "
            f"{field.layers} layers, positions up to {field.positions:,}, fitted on "
            f"{len(field.fitted_on)} texts and {tokens:,} tokens; checksum {given.checksum[:16]}."
        )
    )
    used = own_field.of(field.fingerprint)
    is_used = used is not None and used.field is field
    if st.button(
        "Used on every page" if is_used else "Use this field on every page",
        key="library-use-field", type="primary", disabled=is_used,
    ):  # fmt: skip
        try:
            _use(given)
        except HSAError as refusal:
            show_refusal(refusal)
        else:
            st.rerun()


def _use(given: GivenField) -> None:
    from hsa.field.sound import check_shape

    with waiting() as progress:
        loaded = engine.model(given.field.model, progress)
    if loaded.fingerprint != given.field.fingerprint:
        raise FieldError(
            "The field belongs to another model",
            got=f"a field of {given.field.model} ({given.field.fingerprint[:12]})",
            needed=f"a field of {loaded.title} ({loaded.fingerprint[:12]})",
        )
    check_shape(
        given.field, loaded.layers, loaded.query_heads, loaded.key_value_heads, loaded.head_dim
    )
    own_field.use(loaded.fingerprint, engine.named(given.field, "from a file"))
