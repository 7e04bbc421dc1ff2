"""Near and far keys."""

from __future__ import annotations

import pytest
import torch

from hsa.attention.near import NearKeys, QueryBlock


def of_every_query(near: NearKeys, tokens: int, causal: bool, special: tuple[int, ...] = ()):
    flags = torch.zeros(tokens, dtype=torch.bool)
    flags[list(special)] = True
    found: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    for block in near.blocks(torch.arange(tokens), flags, causal):
        assert isinstance(block, QueryBlock)
        for query, row in zip(block.queries.tolist(), block.near(causal), strict=True):
            assert query not in found, "a query stands in one block"
            found[query] = row, block.far
    assert sorted(found) == list(range(tokens))
    return found


@pytest.mark.parametrize("tokens", [1, 2, 12, 128, 511, 512, 700])
def test_causal_keys_are_near_or_far_and_never_later(tokens: int) -> None:
    near = NearKeys.for_length(tokens, True)
    for query, (close, far) in of_every_query(near, tokens, True).items():
        assert not (close & far).any()
        assert torch.equal((close | far).nonzero().flatten(), torch.arange(query + 1))
        assert close[: min(near.sinks, query + 1)].all()
        assert close[max(0, query + 1 - near.window) : query + 1].all()
        assert int(close.sum()) <= near.sinks + near.window + near.step - 1


def test_sizes_of_the_design() -> None:
    assert NearKeys.for_length(4096, True) == NearKeys(4, 64, 64)
    assert NearKeys.for_length(512, True) == NearKeys(4, 64, 64)
    assert NearKeys.for_length(128, True) == NearKeys(1, 16, 16)
    assert NearKeys.for_length(12, True) == NearKeys(1, 2, 2)
    assert NearKeys.for_length(256, False).window == 16


def test_a_short_prompt_still_has_far_keys() -> None:
    found = of_every_query(NearKeys.for_length(12, True), 12, True)
    assert int(found[11][1].sum()) >= 6


def test_the_last_queries_of_a_long_text_read_64_to_127_keys_nearby() -> None:
    found = of_every_query(NearKeys(4, 64, 64), 1024, True)
    window = {int(close.sum()) - 4 for query, (close, _) in found.items() if query >= 256}
    assert (min(window), max(window)) == (64, 127)


def test_far_keys_of_a_query_do_not_depend_on_the_length() -> None:
    near = NearKeys(2, 6, 4)
    short, long = of_every_query(near, 40, True), of_every_query(near, 60, True)
    for query in range(40):
        assert torch.equal(short[query][1], long[query][1][:40])
        assert not long[query][1][40:].any()


def test_bidirectional_queries_have_a_window_on_both_sides_and_the_special_tokens() -> None:
    near = NearKeys(0, 3, 3)
    for query, (close, far) in of_every_query(near, 40, False, special=(0, 39)).items():
        assert torch.equal(close, ~far)
        assert close[max(0, query - 3) : query + 4].all()
        assert close[0] and close[39]
        assert int(far.sum()) >= 40 - 2 - 9


def test_queries_asked_for_in_any_order_are_grouped_by_their_far_keys() -> None:
    blocks = list(NearKeys(1, 4, 4).blocks(torch.tensor([33, 5, 31, 6]), torch.zeros(40) > 0, True))
    assert [sorted(block.queries.tolist()) for block in blocks] == [[5, 6], [31, 33]]
