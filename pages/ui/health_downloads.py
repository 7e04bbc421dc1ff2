"""What can be taken away of a layer's health."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import engine
from pages.ui.health_look import known
from pages.ui.take_away import file_button, in_file_name

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.attempt import Attempt
    from hsa.specialization.health import LayerHealth


def downloads(
    loaded: LoadedModel, ready: engine.ReadyField, found: LayerHealth, group: int
) -> None:  # fmt: skip
    """Heads and flags as CSV, one head's evidence as NPZ; made when asked for."""
    from hsa.figures import health_files as files

    name = f"{in_file_name(loaded.name)}-layer{found.layer}"
    layers = [one for at in range(loaded.layers) if (one := known(ready, at)) is not None]
    with st.popover("Download"):
        file_button("Flags of this layer (CSV)", f"{name}-flags.csv",
                    lambda: files.flags_csv(found))  # fmt: skip
        file_button("Heads looked over so far (CSV)", f"{in_file_name(loaded.name)}-health.csv",
                    lambda: files.heads_csv(layers))  # fmt: skip
        file_button(f"Evidence of key/value head {group} (NPZ)", f"{name}-head{group}-health.npz",
                    lambda: files.head_npz(found.heads[group]))  # fmt: skip


def attempt_download(loaded: LoadedModel, found: LayerHealth, group: int, tried: Attempt) -> None:
    """What the edit did on every held text."""
    from hsa.figures import health_files as files

    name = f"{in_file_name(loaded.name)}-layer{found.layer}-head{group}"
    file_button(
        "What it did, text by text (CSV)", f"{name}-{tried.edit.kind}.csv",
        lambda: files.attempt_csv(tried),
    )  # fmt: skip
