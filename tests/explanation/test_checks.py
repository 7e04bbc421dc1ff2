"""The three checks pass on what the engine gives, and fail on anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from hsa.attention.result import BlockCut, HSAResult
from hsa.explanation.checks import LIMIT, ExplanationCheck, check_explanations, check_pairs
from tests.explanation.conftest import Case


def test_every_pair_of_every_head_is_within_the_limit(case: Case) -> None:
    check = check_explanations(case.result, case.layer)
    assert check.passed and 0 < max(check.product, check.row_sum, check.output) < LIMIT
    assert check.rows == 4 * 90
    assert check.pairs == (4 * 90 * 91 // 2 if case.result.causal else 4 * 90 * 90)
    assert min(check.closed_rows) > 20
    assert check.untilted_rows > 0 and 0 < check.negative_mass <= 0.02 + 1e-6


def test_chosen_pairs_are_counted_with_their_rows(causal_case: Case) -> None:
    pairs = torch.tensor([[0, 80, 3], [0, 80, 9], [2, 40, 40], [2, 41, 1], [3, 50, 60]])
    check = check_pairs(causal_case.result, causal_case.layer, pairs)
    # The last pair looks at a later key: its row is checked, the pair is none.
    assert (check.pairs, check.rows) == (4, 4) and check.passed


def test_maxima_are_joined() -> None:
    one = ExplanationCheck(1e-6, 2e-6, 3e-6, 10, 2, (1, 0, 1), 0, 0.01, 1)
    other = ExplanationCheck(4e-6, 1e-6, 2e-5, 5, 1, (0, 1, 1), 1, 0.0, 0)
    joined = ExplanationCheck.join([one, other])
    assert joined == ExplanationCheck(4e-6, 2e-6, 2e-5, 15, 3, (1, 1, 2), 1, 0.01, 1)
    assert one.passed and not joined.passed
    assert not ExplanationCheck.join([one, replace(one, row_sum=float("nan"))]).passed


Corrupt = Callable[[BlockCut], BlockCut]


def everywhere(result: HSAResult, change: Corrupt) -> HSAResult:
    return replace(result, blocks=tuple(change(block) for block in result.blocks))


def first_closed(block: BlockCut, level: Tensor, wanted: int) -> Tensor:
    """A mask of one closed splat of this level for every row that has one."""
    chosen = block.closed & (level == wanted)[:, None, None]
    return chosen & (chosen.long().cumsum(-1) == 1)


def test_another_total_mass_is_noticed(causal_case: Case) -> None:
    wrong = everywhere(causal_case.result, lambda b: replace(b, log_z=b.log_z + 1e-4))
    check = check_explanations(wrong, causal_case.layer)
    assert min(check.product, check.row_sum, check.output) > 5e-5 and not check.passed


@pytest.mark.parametrize("level", [0, 1, 2])
def test_another_mass_of_a_closed_splat_is_noticed(causal_case: Case, level: int) -> None:
    result = causal_case.result

    def change(block: BlockCut) -> BlockCut:
        here = first_closed(block, result.tree.level, level)
        return replace(block, log_mass=block.log_mass + 0.01 * here)

    check = check_explanations(everywhere(result, change), causal_case.layer)
    assert check.product > 1e-4 and check.row_sum > 1e-4 and check.output > 1e-4


@pytest.mark.parametrize("level", [0, 1, 2])
def test_another_count_is_noticed(causal_case: Case, level: int) -> None:
    """n_s of a closed splat decides its keys' shares, and its children's."""
    result = causal_case.result

    def change(block: BlockCut) -> BlockCut:
        wrong = (result.tree.level == level) & (block.count > 0)
        return replace(block, count=block.count + wrong)

    check = check_explanations(everywhere(result, change), causal_case.layer)
    assert check.product > 1e-4 and check.row_sum > 1e-4


def test_another_tilt_is_noticed_in_the_output_alone(causal_case: Case) -> None:
    """A tilt moves weight between a splat's keys: no share and no sum can tell, o_i does."""
    wrong = everywhere(causal_case.result, lambda b: replace(b, tilt=1.1 * b.tilt))
    check = check_explanations(wrong, causal_case.layer)
    assert check.output > 1e-4
    assert max(check.product, check.row_sum) < LIMIT


def test_another_mean_key_is_noticed(causal_case: Case) -> None:
    wrong = everywhere(causal_case.result, lambda b: replace(b, mean=b.mean + 0.01))
    check = check_explanations(wrong, causal_case.layer)
    assert check.row_sum > 1e-4 and check.output > 1e-4


def test_another_output_is_noticed(causal_case: Case) -> None:
    wrong = replace(causal_case.result, output=causal_case.result.output * (1 + 1e-4))
    check = check_explanations(wrong, causal_case.layer)
    assert check.output > 5e-5 and max(check.product, check.row_sum) < LIMIT


def test_a_splat_closed_and_opened_at_once_is_noticed(causal_case: Case) -> None:
    result = causal_case.result

    def change(block: BlockCut) -> BlockCut:
        both = first_closed(block, result.tree.level, 2)
        return replace(block, opened=block.opened | both)

    check = check_explanations(everywhere(result, change), causal_case.layer)
    assert check.product > 1e-4 and check.row_sum > 1e-4


def test_a_splat_that_fell_out_of_the_cut_is_noticed(causal_case: Case) -> None:
    result = causal_case.result

    def change(block: BlockCut) -> BlockCut:
        lost = first_closed(block, result.tree.level, 1)
        return replace(
            block,
            closed=block.closed & ~lost,
            log_mass=block.log_mass.masked_fill(lost, -torch.inf),
        )

    check = check_explanations(everywhere(result, change), causal_case.layer)
    assert check.product > 1e-4 and check.row_sum > 1e-4 and check.output > 1e-4


def test_a_key_counted_in_another_phrase_is_noticed(causal_case: Case) -> None:
    """The nodes of a key are changed on both sides, so that only the sums can tell."""
    result, layer = causal_case.result, causal_case.layer
    key_node = result.tree.key_node.clone()
    key_node[:, 30] = key_node[:, 31]
    key_node[:, 30, 2] = key_node[:, 32, 2]
    tree = replace(result.tree, key_node=key_node)
    check = check_explanations(replace(result, tree=tree), replace(layer, tree=tree))
    assert check.product > 1e-4 and check.row_sum > 1e-4
