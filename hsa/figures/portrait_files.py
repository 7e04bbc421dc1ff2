"""A portrait and its counterfactuals as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hsa.evaluation.splat_effect import HeadEffect, NextTokenEffect
from hsa.explanation.counterfactual import Counterfactual
from hsa.figures.file_bytes import csv_bytes, npz_bytes
from hsa.figures.portrait_tables import family_table, held_table, pairs_table
from hsa.figures.splat_effect import next_token_table, rows_table
from hsa.specialization.portrait import Portrait


def held_csv(shown: Portrait) -> bytes:
    """Every token it holds."""
    return csv_bytes(held_table(shown))


def pairs_csv(shown: Portrait) -> bytes:
    """Its strongest pairs, all and far ones."""
    both = [pairs_table(shown.pairs).assign(of="all keys")]
    both += [pairs_table(shown.far_pairs).assign(of="far keys")]
    return csv_bytes(pd.concat(both))


def family_csv(shown: Portrait) -> bytes:
    """Parent, children and nearest siblings."""
    family = shown.family
    parts = [family_table([family.parent] if family.parent else []).assign(relation="parent")]
    parts += [family_table(family.children).assign(relation="child")]
    parts += [family_table(family.neighbours).assign(relation="neighbour")]
    return csv_bytes(pd.concat([part for part in parts if len(part)] or parts[:1]))


def portrait_npz(shown: Portrait, strings: Sequence[str]) -> bytes:
    """Tokens, weights and both profiles as arrays."""
    arrays: dict[str, Any] = {
        "tokens": np.array(strings),
        "positions": shown.positions.numpy(),
        "states": np.array([state.state for state in shown.states]),
        "state_shares": np.array([state.share for state in shown.states]),
    }
    for attention in ("standard", "hsa"):
        arrays[f"received_{attention}"] = getattr(shown, f"received_{attention}").numpy()
        arrays[f"given_{attention}"] = getattr(shown, f"given_{attention}").numpy()
    for over in ("position", "distance"):
        profile = getattr(shown, f"{over}_profile")
        for name in ("edges", "keys", "standard", "hsa", "head"):
            arrays[f"{over}_{name}"] = getattr(profile, name).numpy()
    return npz_bytes(arrays)


def rows_csv(effects: Sequence[HeadEffect], found: Counterfactual) -> bytes:
    """Every row's change of head and layer in every case."""
    return csv_bytes(rows_table(effects, found))


def next_tokens_csv(effects: Sequence[NextTokenEffect], strings: Sequence[str]) -> bytes:
    """KL of the prediction at every position."""
    return csv_bytes(next_token_table(effects, strings))


def counterfactual_npz(
    found: Counterfactual, effects: Sequence[HeadEffect], strings: Sequence[str]
) -> bytes:
    """The head's output in every case, and change by row of head and layer."""
    arrays: dict[str, Any] = {
        "tokens": np.array(strings),
        "hsa_output": found.hsa_output.numpy(),
        "standard_output": found.standard_output.numpy(),
        "removed_from_standard_output": found.removed_from_standard.numpy(),
        "hsa_error": found.hsa_error.numpy(),
    }
    for told in found.alternatives:
        arrays[f"{told.what}_output"] = told.output.numpy()
        arrays[f"{told.what}_error"] = told.error.numpy()
    for effect in effects:
        name = effect.case.replace(" ", "_")
        arrays[f"{name}_head_change"] = effect.head.numpy()
        arrays[f"{name}_layer_change"] = effect.layer.by_row.numpy()
    return npz_bytes(arrays)
