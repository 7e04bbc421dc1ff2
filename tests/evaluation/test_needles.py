"""Haystacks: where needles lie, and what is asked of them."""

from __future__ import annotations

import pytest
import torch

from hsa.errors import InputError
from hsa.evaluation.needles import DIGITS, NOISE, haystack, sentences_of

TOKENS, OUTSIDE = 400, 60


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("real", [False, True])
def test_needles_lie_outside_and_are_asked_for_at_the_end(smollm2, story: str, real: bool) -> None:
    tokens = 1500 if real else TOKENS
    sentences = sentences_of(story[:3000]) if real else NOISE
    stack = haystack(smollm2, tokens, 3, OUTSIDE, seeded(), sentences)
    decode = smollm2.tokenizer.decode
    assert len({needle.key for needle in stack.needles}) == 3
    last = 0
    for needle in stack.needles:
        hidden = decode(stack.ids[needle.begin : needle.end])
        assert hidden.startswith(" The ") and hidden.endswith(
            f" for {needle.key} is {needle.value}."
        )
        assert decode(needle.question + needle.answer).strip() == hidden.strip(" .")
        assert len(needle.value) == DIGITS and needle.begin >= last
        assert len(stack.ids) - needle.end >= OUTSIDE
        assert len(stack.ids) + len(needle.question) + len(needle.answer) <= tokens
        last = needle.end
    assert all(decode(stack.ids).count(needle.value) == 1 for needle in stack.needles)
    # No more than a sentence, and a question with its answer, is missing.
    longest = max(len(smollm2.tokenize(s)) for s in sentences)
    assert len(stack.ids) > tokens - 20 - longest


def test_a_bare_space_is_given_and_digits_are_scored(smollm2) -> None:
    needle = haystack(smollm2, TOKENS, 1, OUTSIDE, seeded()).needles[0]
    pairs = zip(needle.answer, needle.scored, strict=True)
    scored = [smollm2.tokenizer.decode([i]) for i, s in pairs if s]
    assert "".join(scored) == needle.value
    assert [smollm2.tokenizer.decode([needle.answer[0]]), needle.scored[0]] == [" ", False]


def test_the_seed_decides(smollm2) -> None:
    first, again = (haystack(smollm2, TOKENS, 2, OUTSIDE, seeded(3)) for _ in range(2))
    assert first == again
    assert first != haystack(smollm2, TOKENS, 2, OUTSIDE, seeded(4))


@pytest.mark.parametrize(
    ("tokens", "needles", "outside", "said"),
    [(400, 0, 60, "0 needles"), (400, 1000, 60, "1000 needles"), (400, 3, 390, "do not fit"),
     (400, 30, 60, "do not fit")],
)  # fmt: skip
def test_what_cannot_be_hidden_is_refused(smollm2, tokens, needles, outside, said) -> None:
    with pytest.raises(InputError, match=said):
        haystack(smollm2, tokens, needles, outside, seeded())
