"""A bundle that was opened: what is in it, its view reopened, its numbers worked out again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from hsa.errors import HSAError
from pages.ui import badges, choices, cost, engine, own_field, refusals, taken_choices
from pages.ui.plain import plain, sendable
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.sharing.bundle import Bundle
    from hsa.sharing.verify import Verification

VERIFIED = "library-verified"
SHOWN_CHARACTERS = 1500


def show(bundle: Bundle, sha256: str) -> None:
    """What it holds, and the two things to do with it."""
    view = bundle.view
    cell = "" if view.query is None else f", query {view.query}, key {view.key}"
    st.markdown(
        plain(f"A bundle: {bundle.model}, layer {view.layer}, head {view.head}{cell}."), width=900
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        reopen = st.button("Open this view", key="library-open-view")
        again = st.button(
            "Work its numbers out again", key="library-verify", type="primary",
            help="From the prompt, and the model and field on this machine; a model that is not "
            "here yet is fetched first.",
        )  # fmt: skip
    try:
        if reopen:
            _open_view(bundle)
        if again:
            st.session_state[VERIFIED] = (sha256, _verified(bundle))
    except HSAError as refusal:
        # The rest of the library is there all the same.
        refusals.show(refusal)
    kept = st.session_state.get(VERIFIED)
    found = kept[1] if kept is not None and kept[0] == sha256 else None
    if found is not None:
        _verdict(found)
    _numbers(bundle, found)
    st.caption(badges.meanings())
    with st.expander("Prompt, settings and versions"):
        st.text(sendable(bundle.prompt[:SHOWN_CHARACTERS]))
        if len(bundle.prompt) > SHOWN_CHARACTERS:
            st.caption(f"The first {SHOWN_CHARACTERS:,} of {len(bundle.prompt):,} characters.")
        st.dataframe(_facts(bundle), hide_index=True)


def _facts(bundle: Bundle) -> dict[str, list[str]]:
    from dataclasses import asdict

    inside = bundle.field.tensors is not None
    facts = [
        ("model", bundle.model),
        ("model's fingerprint", bundle.fingerprint),
        ("field's checksum", bundle.field.checksum),
        ("the field", "is in the bundle" if inside else "ships with the app"),
        ("page", bundle.page),
        *((f"view: {name}", str(value)) for name, value in asdict(bundle.view).items()),
        *((f"address: {name}", value) for name, value in bundle.choices),
        *((f"version of {name}", value) for name, value in bundle.versions),
    ]
    return {
        "what": [sendable(name) for name, _ in facts],
        "value": [sendable(value) for _, value in facts],
    }


def _numbers(bundle: Bundle, found: Verification | None) -> None:
    from hsa.sharing.numbers import NUMBERS

    if found is None:
        rows: list[dict[str, Any]] = [
            {"number": NUMBERS[n.name].title, "come by": NUMBERS[n.name].badge,
             "values": n.values.numel(),
             "stored": float(n.values) if n.values.numel() == 1 else None}
            for n in bundle.numbers
        ]  # fmt: skip
    else:
        rows = [
            {"number": n.title, "come by": n.badge, "values": n.count, "stored": n.stored,
             "again": n.again, "difference": n.difference,
             "outcome": "passed" if n.passed else "FAILED"}
            for n in found.numbers
        ]  # fmt: skip
    number = st.column_config.NumberColumn
    st.dataframe(
        rows,
        hide_index=True,
        key="library-numbers",
        column_config={
            "stored": number(format="%.7g", help="Of several values, where they differ most."),
            "again": number(format="%.7g", help="At the same place."),
            "difference": number(
                format="%.2g",
                help="Relative to the row, the output's length, or the largest number above one.",
            ),
        },
    )


def _verdict(found: Verification) -> None:
    largest = "one that cannot be formed" if found.largest is None else f"{found.largest:.2g}"
    if found.passed:
        st.success(
            f"All {len(found.numbers)} come out again: the largest difference is {largest}, and "
            f"{found.tolerance:.0e} is allowed."
        )
    else:
        failed = sum(not number.passed for number in found.numbers)
        st.error(
            f"{failed} of {len(found.numbers)} do not come out again: the largest difference is "
            f"{largest}, and {found.tolerance:.0e} is allowed."
        )
    if found.versions_there != found.versions_here:
        there, here = (
            ", ".join(f"{name} {of}" for name, of in versions)
            for versions in (found.versions_there, found.versions_here)
        )
        st.caption(plain(f"Made with {there}; worked out again with {here}."))


def _verified(bundle: Bundle) -> Verification:
    from hsa.sharing.verify import verify

    with waiting() as progress:
        loaded = engine.model(bundle.model, progress)
        with cost.current().step("Working numbers out again"):
            return verify(bundle, loaded, progress)


def _open_view(bundle: Bundle) -> None:
    """The page that it was made on, with its prompt, its choices, and the field inside it."""
    from pages.ui.frame import PAGES, go_to

    if bundle.field.tensors is not None:
        with waiting() as progress:
            _use_field(bundle, engine.model(bundle.model, progress))
    unknown = taken_choices.take(dict(bundle.choices), bundle.prompt)
    for name in unknown:
        choices.notify(f"The bundle chose {name[:60]!r}, which means nothing here.")
    if bundle.field.tensors is None and _other_field(bundle):
        choices.notify(
            "The bundle was made with another field than the one that ships here, so numbers will "
            "differ."
        )
    pages = {Path(file).stem: file for file in PAGES}
    go_to(pages.get(bundle.page, pages["compare"]))


def _use_field(bundle: Bundle, loaded: LoadedModel) -> None:
    from hsa.errors import ModelError
    from hsa.sharing.bundle import field_of_bundle

    if loaded.fingerprint != bundle.fingerprint:
        raise ModelError(
            "The bundle was made with another model", got=loaded.fingerprint[:12],
            needed=bundle.fingerprint[:12],
        )  # fmt: skip
    own_field.use(loaded.fingerprint, engine.named(field_of_bundle(bundle, loaded), "from a file"))


def _other_field(bundle: Bundle) -> bool:
    from hsa.sharing.bundle import shipped_checksum

    return shipped_checksum(bundle.model) != bundle.field.checksum
