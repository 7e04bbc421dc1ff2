"""Pattern scores against rows worked out by hand and against slow loops."""

from __future__ import annotations

import math

import torch

from hsa.evaluation.patterns import after_same_token, row_patterns


def test_scores_of_rows_that_are_known() -> None:
    ids = [5, 6, 7, 5]
    queries = torch.tensor([0, 1, 3])
    weights = torch.tensor([[[1.0, 0, 0, 0], [0.25, 0.75, 0, 0], [0.25, 0.5, 0.125, 0.125]]])
    given = row_patterns(weights, queries, after_same_token(ids, queries))
    entropy = [0.0, -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)), 1.2130]
    torch.testing.assert_close(given.entropy[0], torch.tensor(entropy), atol=1e-4, rtol=0)
    assert given.sink[0].isnan().tolist() == [True, False, False]
    assert given.sink[0, 1:].tolist() == [0.25, 0.25]
    assert given.previous[0, 1:].tolist() == [0.25, 0.125]
    # Token 3 repeats token 0, so its induction target is token 1; the others repeat nothing.
    assert given.induction[0].isnan().tolist() == [True, True, False]
    assert given.induction[0, 2] == 0.5


def test_induction_targets_follow_their_definition() -> None:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 6, (40,), generator=generator).tolist()
    queries = torch.arange(3, 40, 2)
    targets = after_same_token(ids, queries)
    for row, query in enumerate(queries.tolist()):
        for key in range(40):
            wanted = 0 < key <= query and ids[key - 1] == ids[query]
            assert bool(targets[row, key]) == wanted
