"""An edit of one splat, tried on held texts before it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import streamlit as st

from hsa.errors import HSAError
from pages.ui import choices, engine, own_field
from pages.ui.health_downloads import attempt_download
from pages.ui.plain import plain
from pages.ui.refusals import show
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.attempt import Attempt
    from hsa.specialization.health import LayerHealth

TRIED = "health-tried"
"""Session key: (field, layer, head, splat, change) last tried, so that a rerun shows it again."""

DOES = {
    "split": "Split it in two along the widest direction of its keys",
    "merge": "Merge it with the sibling that this changes least",
    "retire": "Retire it; its keys go to the splats nearest",
}


def attempt(
    loaded: LoadedModel, ready: engine.ReadyField, found: LayerHealth, group: int
) -> None:  # fmt: skip
    """The edit offered for the splat chosen, and what it did."""
    from hsa.specialization.attempt import Change

    splat = choices.SPLAT.value
    head = found.heads[group]
    if splat is None or splat not in head.field.splat_id.tolist():
        st.caption("Choose a splat above, and an edit of it can be tried.")
        return
    st.subheader(f"Try an edit of splat {splat}", anchor=False)
    advised = [flag for flag in head.of_splat(splat) if flag.action in DOES]
    change = st.segmented_control(
        "Edit", get_args(Change), default=advised[0].action if advised else "split",
        key=f"health-change-{splat}", required=True,
    )  # fmt: skip
    partner = next((flag.partner for flag in advised if flag.action == change), None)
    with_whom = f", splat {partner}" if partner is not None and change == "merge" else ""
    st.caption(plain(f"{DOES[change]}{with_whom}. It is measured on texts that were held back."))
    asked = (ready.identity, found.layer, group, splat, change)
    if st.button("Try it", key="health-try", type="primary"):
        st.session_state[TRIED] = asked
    if st.session_state.get(TRIED) != asked:
        return
    try:
        with waiting() as progress:
            progress("Reading the held texts with both fields", None)
            tried = _tried(ready, found, group, change, splat, partner)
    except HSAError as refusal:
        # The rest of the page needs no edit.
        show(refusal)
        return
    _outcome(loaded, ready, found, group, tried)


def _tried(
    ready: engine.ReadyField, found: LayerHealth, group: int, change, splat: int,
    partner: int | None,
) -> Attempt:  # fmt: skip
    def make() -> Attempt:
        from hsa.specialization.attempt import attempt as try_out

        return try_out(
            found.heads[group], ready.field.layer(found.layer), group, found.held, change, splat,
            partner if change == "merge" else None,
        )  # fmt: skip

    key = ("attempt", ready.identity, found.layer, group, change, splat, partner)
    return engine.kept(key, "Trying an edit", make)


def _outcome(
    loaded: LoadedModel, ready: engine.ReadyField, found: LayerHealth, group: int, tried: Attempt
) -> None:
    before, after = tried.error
    reads_before, reads_after = tried.reads
    with st.container(horizontal=True):
        st.metric("Error before", f"{before:.3%}", width=180,
                  help="Relative output error of this key/value head's query heads, mean over them "
                  "and the held texts.")  # fmt: skip
        change = after / before - 1 if before > 0 else 0.0
        st.metric("Error after", f"{after:.3%}", f"{change:+.2%}", delta_color="inverse", width=180)
        st.metric("Reads before", f"{reads_before:.1f}", width=180)
        st.metric("Reads after", f"{reads_after:.1f}", width=180)
    texts = len(tried.before.error)
    better = int((tried.after.error.mean(1) < tried.before.error.mean(1)).sum())
    said = "lower" if after < before else "no lower"
    st.markdown(
        f"The error is **{said}** with it: on {better} of {texts} held texts it fell. "
        + ("Two texts say little: try more before you rely on it." if texts < 5 else "")
    )

    def keep() -> None:
        from hsa.specialization.health import with_head

        made = with_head(ready.field, found.layer, group, tried.field)
        own_field.use(loaded.fingerprint, engine.named(made, "adapted here"))
        choices.SPLAT.choose(None)

    st.button(
        "Keep it, in this session", on_click=keep, key="health-keep",
        help="Every page then uses the field with this edit, for you alone; Library exports it.",
    )  # fmt: skip
    attempt_download(loaded, found, group, tried)
