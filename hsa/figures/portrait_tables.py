"""A portrait as tables: its tokens, its pairs, its family."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hsa.figures.token_label import token_label
from hsa.specialization.carried import CarriedPair
from hsa.specialization.family import Relative
from hsa.specialization.portrait import Portrait
from hsa.specialization.reference_keys import Excerpt


def held_table(shown: Portrait) -> pd.DataFrame:
    """Its tokens with what they receive and give, the most received first.

    Columns: received_* are shares of all attention of the head, given_* shares of the token's own
    row that go to the splat's keys.
    """
    at = shown.positions
    table = pd.DataFrame(
        {
            "position": at.numpy(),
            "token": [token_label(token) for token in shown.strings],
            "received_standard": shown.received_standard.numpy(),
            "received_hsa": shown.received_hsa.numpy(),
            "given_standard": shown.given_standard[at].numpy(),
            "given_hsa": shown.given_hsa[at].numpy(),
        }
    )
    return table.sort_values("received_standard", ascending=False, kind="stable")


def pairs_table(pairs: Sequence[CarriedPair]) -> pd.DataFrame:
    """A row a pair, the largest weight first."""
    return pd.DataFrame(
        {
            "query": [f"{pair.query} {token_label(pair.query_token)}" for pair in pairs],
            "key": [f"{pair.key} {token_label(pair.key_token)}" for pair in pairs],
            "distance": [abs(pair.query - pair.key) for pair in pairs],
            "standard": [pair.standard for pair in pairs],
            "hsa": [pair.hsa for pair in pairs],
            "contribution": [pair.contribution for pair in pairs],
            "read_as": [pair.reading for pair in pairs],
        }
    )


def family_table(relatives: Sequence[Relative]) -> pd.DataFrame:
    """A row a relative."""
    return pd.DataFrame(
        {
            "splat": [f"{of.level} {of.splat_id}" for of in relatives],
            "distance": [of.distance for of in relatives],
            "keys": [of.keys for of in relatives],
            "standard": [of.standard for of in relatives],
            "hsa": [of.hsa for of in relatives],
            "prior": [of.prior for of in relatives],
            "tokens": [", ".join(map(token_label, of.examples)) for of in relatives],
        }
    )


def excerpts_table(found: Sequence[Excerpt], texts: Sequence[str]) -> pd.DataFrame:
    """A row a key of the reference texts, the token set apart by ⟦ ⟧."""
    return pd.DataFrame(
        {
            "token": [token_label(one.token) for one in found],
            "received": [one.received for one in found],
            "given": [one.given for one in found],
            "in its sentence": [_marked(one) for one in found],
            "text": [texts[one.source] for one in found],
            "position": [one.position for one in found],
        }
    )


def _marked(one: Excerpt) -> str:
    """The stretch on one line, the token in its brackets, the space before it outside."""
    space = " " if one.token[:1].isspace() else ""
    return " ".join(f"{one.before}{space}⟦{one.token.strip()}⟧{one.after}".split())
