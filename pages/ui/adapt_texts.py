"""The texts that a field is to read; what is no text is refused by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import kept
from pages.ui.plain import plain, sendable
from pages.ui.samples import SAMPLES, sample_text

if TYPE_CHECKING:
    from hsa.fitting.settings import Text

MOST_TEXTS = 100
MOST_BYTES = 2_000_000
"""Of one file. A run reads some thousand tokens of a text, a few bytes each."""

BLOCKS = {"blocks": "Each block between blank lines is a text", "whole": "All of it is one text"}


@dataclass(frozen=True)
class Given:
    """Texts that can be read, and why others cannot; `kept` are those not to be forgotten."""

    texts: tuple[Text, ...]
    refused: tuple[str, ...]
    kept: tuple[Text, ...] = ()


def text_controls() -> Given:
    """Ask for texts, and say what is wrong with any of them."""
    st.pills(
        "Samples", list(SAMPLES), selection_mode="multi", wrap=True,
        format_func=lambda name: SAMPLES[name].title, **kept.widget("adapt-samples", []),
    )  # fmt: skip
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.text_area(
            "Texts of your own", height=150, placeholder="Paste texts here.",
            help="Ctrl + Enter reads them.", **kept.widget("adapt-pasted", ""),
        )  # fmt: skip
        st.radio(
            "Pasted texts", list(BLOCKS), format_func=lambda name: BLOCKS[name], horizontal=True,
            label_visibility="collapsed", **kept.widget("adapt-blocks", "blocks"),
        )  # fmt: skip
    with right:
        _upload()
    given = gathered(
        kept.value("adapt-samples", []), kept.value("adapt-pasted", ""),
        kept.value("adapt-blocks", "blocks"), kept.value("adapt-files", ()),
    )  # fmt: skip
    if given.refused:
        st.warning("  \n".join(plain(reason) for reason in given.refused))
    st.multiselect(
        "Not to be forgotten", list(SAMPLES), format_func=lambda name: SAMPLES[name].title,
        placeholder="Samples whose error must not rise",
        help="Their error is bounded at every event, and their keys are rehearsed: splats follow "
        "them beside those of the texts above.",
        **kept.widget("adapt-keep", []),
    )  # fmt: skip
    return replace(given, kept=gathered(kept.value("adapt-keep", []), "", "whole", ()).texts)


def _upload() -> None:
    key = f"ask-adapt-files-{kept.value('adapt-files-round', 0)}"

    def heard() -> None:
        files = st.session_state[key] or []
        taken = tuple((file.name, file.getvalue()[: MOST_BYTES + 1], file.size) for file in files)
        kept.keep("adapt-files", taken)

    def clear() -> None:
        kept.keep("adapt-files", ())
        kept.keep("adapt-files-round", kept.value("adapt-files-round", 0) + 1)

    st.file_uploader(
        f"Text files (.txt, .md) of at most {MOST_BYTES / 1e6:.0f} MB", type=["txt", "md"],
        accept_multiple_files=True, key=key, on_change=heard, max_upload_size=MOST_BYTES // 10**6,
        help="In UTF-8. What cannot be read is named, and the others are read.",
    )  # fmt: skip
    known = kept.value("adapt-files", ())
    if (known and key not in st.session_state) or (known and not st.session_state[key]):
        # Streamlit forgets its list of files on other pages; what they held is kept.
        names = ", ".join(name for name, _, _ in known[:5]) + (", …" if len(known) > 5 else "")
        st.caption(plain(f"Kept from before: {names}. Another upload takes their place."))
        st.button("Leave these files out", key="adapt-clear-files", on_click=clear)


def gathered(
    samples: list[str], pasted: str, blocks: str, files: tuple[tuple[str, bytes, int], ...]
) -> Given:
    """Texts in the order samples, pasted, files; each is named, and so is why one is refused."""
    from hsa.fitting.settings import Text

    texts: list[Text] = []
    refused: list[str] = []
    named = [(f"sample {name}", sample_text(name)) for name in samples]
    parts = re.split(r"\n\s*\n", pasted) if blocks == "blocks" else [pasted]
    named += [
        (f"pasted {number}", part)
        for number, part in enumerate((part for part in parts if part.strip()), 1)
    ]
    for name, content, size in files:
        reason = _no_text(content, size)
        if reason is None:
            named.append((name, content.decode("utf-8-sig")))
        else:
            refused.append(f"{name} was left out: {reason}.")
    for name, content in named:
        if len(content.split()) < 2 and len(content) < 200:
            what = "one word says nothing of far keys" if content.strip() else "it is empty"
            refused.append(f"{name} was left out: {what}.")
        else:
            texts.append(Text(sendable(name), sendable(content)))
    if len(texts) > MOST_TEXTS:
        refused.append(
            f"There are {len(texts):,} texts; a run here reads {MOST_TEXTS}, and the first were "
            "taken. `python -m hsa adapt` reads any number."
        )
    return Given(tuple(texts[:MOST_TEXTS]), tuple(refused))


def _no_text(content: bytes, size: int) -> str | None:
    """Why these bytes cannot be read, or None."""
    if size > MOST_BYTES:
        return (
            f"it has {size / 1e6:.1f} MB where {MOST_BYTES / 1e6:.0f} MB may be uploaded; cut it, "
            "for a run reads the beginning of each text only"
        )
    if not content.strip():
        return "it is empty"
    if b"\0" in content:
        return "it is a binary file and no text"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"it is no text in UTF-8 (byte {error.start:,}); save it as UTF-8"
    return None
