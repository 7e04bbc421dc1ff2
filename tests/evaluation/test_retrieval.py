"""What counts as found, and that the methods differ where they must."""

from __future__ import annotations

import math

import pytest
import torch

from hsa.errors import InputError, ModelError
from hsa.evaluation.language import Window
from hsa.evaluation.needles import Haystack, haystack
from hsa.evaluation.retrieval import Found, Rate, Retrieval, ask, retrieval
from hsa.field.shipped import shipped_field
from hsa.inference.guard import Guard
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import read_everything, run_plan
from hsa.models.program import running

TOKENS, OUTSIDE = 150, 40
TRUSTING = Guard(bound=1e6, checked=0)


@pytest.fixture(scope="module")
def stack(smollm2) -> Haystack:
    return haystack(smollm2, TOKENS, 2, OUTSIDE, torch.Generator().manual_seed(2))


def test_wilson_intervals_by_hand() -> None:
    low, high = Rate(8, 10).interval
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Rate(0, 20).interval == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert Rate(0, 0).interval == (0.0, 1.0) and math.isnan(Rate(0, 0).share)


def test_standard_attention_finds_what_the_window_cannot_see(smollm2, stack: Haystack) -> None:
    assert ask(smollm2, stack, None).found.all()
    near = ask(smollm2, stack, Window(OUTSIDE - 4))
    assert not near.found.any()


def test_found_is_what_greedy_writing_writes(smollm2, stack: Haystack) -> None:
    found = ask(smollm2, stack, None).found.tolist()
    wrong = Haystack(stack.ids[: stack.needles[0].begin], stack.needles[:1])
    for text, needle, said in (
        (stack, stack.needles[1], found[1]),
        (wrong, wrong.needles[0], bool(ask(smollm2, wrong, None).found[0])),
    ):
        ids = torch.tensor([[*text.ids, *needle.question, needle.answer[0]]])
        digits = len(needle.value)
        with running(None):
            ids = smollm2.model.generate(ids, do_sample=False, max_new_tokens=digits)
        written = smollm2.tokenizer.decode(ids[0, -digits:])
        assert (written == needle.value) == said
    assert not said


def test_a_question_leaves_nothing_behind(smollm2, stack: Haystack) -> None:
    field = shipped_field("smollm2", smollm2.fingerprint)
    plan = run_plan(field, TOKENS, OUTSIDE, "block")
    backwards = Haystack(stack.ids, stack.needles[::-1])
    there, back = (
        ask(smollm2, each, HSAProgram(smollm2, field, plan, guard=TRUSTING))
        for each in (stack, backwards)
    )
    assert there.found.tolist() == back.found.tolist()[::-1]
    assert there.reads == pytest.approx(back.reads)


def test_reading_everything_is_standard_attention(smollm2, stack: Haystack) -> None:
    everything = HSAProgram(smollm2, None, read_everything(30, 9))
    usual, ours = ask(smollm2, stack, None), ask(smollm2, stack, everything)
    assert torch.equal(usual.found, ours.found)
    assert usual.reads == pytest.approx(ours.reads)


def test_depths_where_standard_attention_finds_little_do_not_count() -> None:
    found = {"standard": [0, 0, 1, 1, 1, 0, 1, 1, 1, 1], "hsa": [1, 0, 1, 0, 1, 1, 1, 1, 1, 1]}
    depth = torch.arange(10) / 10 + 0.05
    result = Retrieval(
        100, 20, 1, depth, torch.full((10,), 30),
        {name: Found(torch.tensor(row, dtype=torch.bool), 1.0, 0) for name, row in found.items()},
    )  # fmt: skip
    assert [int(part.sum()) for part in result.bins()] == [2, 2, 2, 2, 2]
    assert result.counted().tolist() == [False] * 2 + [True] * 8
    assert result.rate("standard") == Rate(7, 8) and result.rate("hsa") == Rate(7, 8)
    assert result.kept("hsa") == Rate(6, 7)


def test_what_makes_no_sense_is_refused(smollm2, minilm) -> None:
    field = shipped_field("smollm2", smollm2.fingerprint)
    for tokens, reads, needles in ((9000, 50, 1), (400, 400, 1), (400, 0, 1), (400, 50, 0)):
        with pytest.raises(InputError):
            retrieval(smollm2, field, tokens, reads, needles)
    with pytest.raises(ModelError, match="writes no text"):
        retrieval(minilm, field, 200, 50, 1)
