"""Agreement on a written text, and the turns of a conversation, as files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hsa.figures.file_bytes import csv_bytes, npz_bytes
from hsa.figures.next_token import means_table, next_token_figure, next_token_table
from hsa.figures.standalone import titled_html
from hsa.figures.transition import beta_figure, transition_figure
from hsa.inference.text_agreement import TextAgreement
from hsa.inference.transition import Observation


def means_csv(found: TextAgreement) -> bytes:
    """Means over the prompt, over what HSA wrote, and over both."""
    return csv_bytes(means_table(found))


def next_tokens_csv(found: TextAgreement) -> bytes:
    """A row per token predicted."""
    return csv_bytes(next_token_table(found))


def next_tokens_html(found: TextAgreement) -> bytes:
    """KL along the text as one HTML file."""
    return titled_html(next_token_figure(found), "HSA beside standard attention", legend=True)


def next_tokens_npz(found: TextAgreement) -> bytes:
    """The text in its tokens, and what both predicted; entry n speaks of token n + 1."""
    return npz_bytes(
        {
            "tokens": np.array(found.tokens.strings),
            "ids": np.array(found.tokens.ids),
            "prompt_tokens": found.prompt,
            "kl_nats": found.kl_nats.numpy(),
            "top_match": found.top_match.numpy(),
            "hsa_nats": found.nats.numpy(),
            "standard_nats": found.standard_nats.numpy(),
        }
    )


def beta_csv(beta: Sequence[float]) -> bytes:
    """β of every layer."""
    return csv_bytes(pd.DataFrame({"layer": range(len(beta)), "beta": list(beta)}))


def beta_html(beta: Sequence[float]) -> bytes:
    """β of every layer as one HTML file."""
    return titled_html(beta_figure(beta), "β of every layer: its part of HSA")


def turns_csv(history: Sequence[Observation]) -> bytes:
    """A row a turn: what was seen and said, and β of every layer after it."""
    rows = [
        {"turn": turn, "tokens": seen.tokens, "kl_nats": seen.kl_nats, "verdict": seen.verdict}
        | {f"beta_layer_{layer}": beta for layer, beta in enumerate(seen.after.tolist())}
        for turn, seen in enumerate(history, start=1)
    ]
    return csv_bytes(pd.DataFrame(rows))


def turns_html(history: Sequence[Observation], bound: float) -> bytes:
    """KL and β over the turns as one HTML file."""
    return titled_html(transition_figure(history, bound), "β over the turns of a conversation")


def turns_npz(history: Sequence[Observation], bound: float) -> bytes:
    """β tried and after it, [turns, layers], with KL of every turn and of layers tried alone."""
    return npz_bytes(
        {
            "bound": bound,
            "tokens": np.array([seen.tokens for seen in history]),
            "kl_nats": np.array([seen.kl_nats for seen in history]),
            "tried": np.stack([seen.tried.numpy() for seen in history]),
            "after": np.stack([seen.after.numpy() for seen in history]),
            "layer_kl_nats": np.stack([seen.layer_kl_nats.numpy() for seen in history]),
            "verdict": np.array([seen.verdict for seen in history]),
        }
    )
