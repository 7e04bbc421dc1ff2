"""Keys at positions that the model never saw: rotations undone, windows joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from hsa.activations import Activations
from hsa.errors import InputError, ModelError
from hsa.evaluation import rotary as rotary_module
from hsa.evaluation.long_keys import joined_tokens, long_activations, moved, token_slice
from hsa.evaluation.rotary import Rotary, rotary_of
from hsa.fitting.settings import Text
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel


def never() -> Rotary:
    raise AssertionError("what fits into the model is not rotated")


def small(length: float = 1.0) -> Rotary:
    return Rotary(torch.tensor([1.0, 0.3, 0.01]), length)


@pytest.mark.parametrize("length", [1.0, 1.3])
def test_undoing_undoes(length: float) -> None:
    rotary, x = small(length), torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(30_000, 30_040)
    turned = rotary.rotate(x, positions)
    torch.testing.assert_close(turned.norm(dim=-1), length * x.norm(dim=-1))
    assert (turned - x).abs().max() > 1
    torch.testing.assert_close(rotary.unrotate(turned, positions), x, atol=1e-5, rtol=0)


def test_products_see_only_distances() -> None:
    rotary = small()
    q, k = torch.randn(2, 1, 6, generator=torch.Generator().manual_seed(1))

    def product(of_query: int, of_key: int) -> torch.Tensor:
        at_query, at_key = torch.tensor([of_query]), torch.tensor([of_key])
        return (rotary.rotate(q, at_query) * rotary.rotate(k, at_key)).sum()

    torch.testing.assert_close(product(9, 2), product(1009, 1002), atol=1e-3, rtol=0)
    assert abs(product(9, 2) - product(9, 5)) > 0.1


@pytest.fixture(scope="module")
def rotary(smollm2: LoadedModel) -> Rotary:
    return rotary_of(smollm2)


def test_captured_keys_come_back(smollm2: LoadedModel, rotary: Rotary, story: str) -> None:
    text = capture(smollm2, joined_tokens(smollm2, [Text("story", story)], 128), [5])[5]
    here, there = torch.arange(128), torch.arange(20_000, 20_128)
    away = moved(text, rotary, here, there)
    assert (away.k - text.k).abs().max() > 1
    assert torch.equal(away.v, text.v)
    back = moved(away, rotary, there, here)
    torch.testing.assert_close(back.k, text.k, atol=1e-4, rtol=0)
    torch.testing.assert_close(back.q, text.q, atol=1e-4, rtol=0)
    plain = rotary.rotate(rotary.unrotate(text.k, here), here)
    torch.testing.assert_close(plain, text.k, atol=1e-4, rtol=0)


def test_windows_join_to_what_one_pass_gives(
    smollm2: LoadedModel, rotary: Rotary, story: str
) -> None:
    """The first layer sees a token and its position alone, so windows change nothing there."""
    tokens = joined_tokens(smollm2, [Text("story", story)], 300)
    whole = capture(smollm2, tokens, [0, 4])
    first = long_activations(smollm2, tokens, 0, lambda: rotary, window=90)
    for name in ("q", "k", "v"):
        torch.testing.assert_close(getattr(first, name), getattr(whole[0], name), atol=1e-4, rtol=0)
    assert first.near_special.shape == (300,)
    later = long_activations(smollm2, tokens, 4, lambda: rotary, window=90)
    torch.testing.assert_close(later.k[:, :90], whole[4].k[:, :90], atol=1e-3, rtol=0)
    # Deeper layers look back: what is missing is what was written before a window's context.
    apart = (later.k - whole[4].k).norm(dim=-1) / whole[4].k.norm(dim=-1)
    assert 1e-4 < apart[:, 90:].mean() < 0.2


def test_what_fits_is_captured(smollm2: LoadedModel, story: str) -> None:
    tokens = joined_tokens(smollm2, [Text("story", story)], 64)
    given = long_activations(smollm2, tokens, 2, never)
    assert torch.equal(given.k, capture(smollm2, tokens, [2])[2].k)


def test_texts_are_read_one_after_another(smollm2: LoadedModel, story: str) -> None:
    texts = [Text("one", "A first text."), Text("two", story)]
    first = smollm2.tokenize(texts[0].content)
    joined = joined_tokens(smollm2, texts, 50)
    assert joined.ids == first.ids + smollm2.tokenize(story).ids[: 50 - len(first)]
    assert token_slice(joined, slice(2)).strings == first.strings[:2]
    few = joined_tokens(smollm2, texts[:1], 50, needed=2)
    assert few.ids == first.ids


def test_too_little_text_is_refused(smollm2: LoadedModel) -> None:
    with pytest.raises(InputError, match=r"4 tokens in one.*Needed: 9,000 tokens"):
        joined_tokens(smollm2, [Text("one", "A first text.")], 9000)


def test_other_position_encodings_are_refused(
    minilm: LoadedModel, smollm2: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="cannot be moved"):
        rotary_of(minilm)
    with pytest.raises(ModelError, match="kind 'default'"):
        rotary_of(replace(smollm2, head_dim=128))
    whole: Callable[..., dict[int, Activations]] = capture

    def neighbours_turn(*given: object) -> dict[int, Activations]:
        """Dimensions 2i and 2i + 1 turn together, as in GPT-J."""
        return {0: replace(a := whole(*given)[0], k=a.k.unflatten(-1, (2, -1)).mT.flatten(-2))}

    monkeypatch.setattr(rotary_module, "capture", neighbours_turn)
    with pytest.raises(ModelError, match="another rotation"):
        rotary_of(smollm2)
