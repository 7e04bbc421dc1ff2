"""The strongest pairs of a head as a table."""

from __future__ import annotations

import pandas as pd

from hsa.explanation.top_pairs import TopPairs
from hsa.field.splat_field import LEVELS
from hsa.figures.token_label import token_label


def top_pairs_table(found: TopPairs) -> pd.DataFrame:
    """A row a pair: both tokens, its weight, and of each level the splat behind it.

    In brackets stands a splat's share of the query's row.
    """
    pairs = [pair.explanation for pair in found.pairs]
    columns = {
        "query": [f"{pair.query} {token_label(pair.query_token)}" for pair in pairs],
        "key": [f"{pair.key} {token_label(pair.key_token)}" for pair in pairs],
        "weight": [pair.weight for pair in pairs],
        "contribution": [pair.contribution for pair in pairs],
        "read as": [pair.reading for pair in pairs],
    }
    for place, level in enumerate(LEVELS):
        splats = [pair.main_contributors[place] for pair in found.pairs]
        columns[level] = [f"{splat.splat_id} ({splat.contribution:.1%})" for splat in splats]
        if level == "Phrase":
            columns["the Phrase"] = [splat.specialisation or "" for splat in splats]
    return pd.DataFrame(columns)
