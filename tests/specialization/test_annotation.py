"""What the functions of a known sentence are, with and without a parser."""

from __future__ import annotations

import sys

import pytest
import torch

from hsa.models.loaded import LoadedModel
from hsa.specialization.annotation import Annotation, annotate, token_functions
from hsa.specialization.corpus import corpus
from hsa.specialization.functions import DISTANCES, PAIR_FUNCTIONS, named
from hsa.specialization.passages import Passage
from hsa.specialization.pipeline import parser
from hsa.specialization.words import parsed_words, resolves, surface_words

TEXT = (
    "Today, the old captain watched the unhappily rolling ship. "
    "In March 1851 Ishmael saw the captain again; the captain said nothing."
)
FRENCH = (
    "Longtemps, je me suis couché de bonne heure. Parfois, à peine ma bougie éteinte, mes yeux se "
    "fermaient si vite que je n'avais pas le temps de me dire : je m'endors. Et, une demi-heure "
    "après, la pensée qu'il était temps de chercher le sommeil m'éveillait ; je voulais poser le "
    "volume que je croyais avoir encore dans les mains et souffler ma lumière. "
) * 2


@pytest.fixture(scope="module")
def passage(smollm2: LoadedModel) -> Passage:
    return Passage(0, TEXT, smollm2.tokenize(TEXT))


@pytest.fixture(scope="module")
def annotated(passage: Passage) -> Annotation:
    return annotate(passage, parsed_words(passage, parser()(passage.text)), causal=True)


def having(passage: Passage, annotation: Annotation, name: str) -> list[str]:
    of = annotation.token[:, named("token")[name]]
    return [text.strip() for text, has in zip(passage.tokens.strings, of, strict=True) if has]


def pairs(passage: Passage, annotation: Annotation, name: str) -> set[tuple[str, str]]:
    of = annotation.function == named("pair")[name]
    strings = [text.strip() for text in passage.tokens.strings]
    ends = zip(annotation.query[of].tolist(), annotation.key[of].tolist(), strict=True)
    return {(strings[query], strings[key]) for query, key in ends}


def test_tokens(passage: Passage, annotated: Annotation) -> None:
    assert having(passage, annotated, "comma") == [","]
    assert having(passage, annotated, "stop") == [".", "."]
    assert having(passage, annotated, "delimiter") == [";"]
    assert having(passage, annotated, "sentence_start") == ["Today", "In"]
    assert having(passage, annotated, "adj") == ["old", "rolling"]
    assert set(having(passage, annotated, "subject")) >= {"captain"}
    assert {"Today", "March", "1", "8", "5"} <= set(having(passage, annotated, "temporal"))
    assert "ily" in "".join(having(passage, annotated, "continuation"))
    assert having(passage, annotated, "sentence_end")[-1] == "nothing"


def test_pairs(passage: Passage, annotated: Annotation) -> None:
    assert ("watched", "captain") in pairs(passage, annotated, "subject_of")
    assert ("ship", "watched") in pairs(passage, annotated, "object_for")
    assert ("captain", "old") in pairs(passage, annotated, "adjective_of")
    assert ("captain", "captain") in pairs(passage, annotated, "repeat")
    assert ("captain", "watched") in pairs(passage, annotated, "induction")
    assert ("captain", "said") in pairs(passage, annotated, "before_verb") or (
        "captain", "captain",
    ) in pairs(passage, annotated, "before_verb")  # fmt: skip
    assert bool((annotated.query >= annotated.key).all())


def test_what_is_received_is_the_sum_over_pairs(passage: Passage, annotated: Annotation) -> None:
    count = len(passage.tokens)
    weights = torch.rand(2, count, count, generator=torch.Generator().manual_seed(0)).tril()
    weights /= weights.sum(-1, keepdim=True)
    received = annotated.received(weights)
    distance = torch.arange(count)[:, None] - torch.arange(count)
    for low, high in DISTANCES:
        within = (distance >= low) & (distance <= (count if high is None else high))
        wanted = (weights * within).sum(1)
        found = received[:, :, named("pair")[f"distance_{low}"]]
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    for name in ("subject_of", "repeat"):
        mask = torch.zeros(count, count)
        of = annotated.function == named("pair")[name]
        mask[annotated.query[of], annotated.key[of]] = 1
        found = received[:, :, named("pair")[name]]
        torch.testing.assert_close(found, (weights * mask).sum(1), atol=1e-5, rtol=0)


def test_both_directions_count_where_both_are_seen(passage: Passage) -> None:
    both = annotate(passage, surface_words(passage), causal=False)
    count = len(passage.tokens)
    even = torch.full((1, count, count), 1 / count)
    received = both.received(even)[0]
    by_distance = [named("pair")[f"distance_{low}"] for low, _ in DISTANCES]
    torch.testing.assert_close(received[:, by_distance].sum(1), torch.ones(count))


def test_without_a_parser_the_surface_is_told(
    smollm2: LoadedModel, passage: Passage, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser.cache_clear()
    monkeypatch.setitem(sys.modules, "spacy", None)
    try:
        found = corpus(smollm2, [TEXT * 4], tokens=200, window=100)
    finally:
        parser.cache_clear()
    assert not found.parsed and "pip install spacy" in found.notes[0]
    tokens = token_functions(found.passages[0], surface_words(found.passages[0]))
    assert bool(tokens[:, named("token")["comma"]].any())
    assert bool(tokens[:, named("token")["sentence_start"]].any())
    assert not bool(tokens[:, named("token")["noun"]].any())
    placed = [function.parsed for function in PAIR_FUNCTIONS]
    used = found.annotations[0].function.unique().tolist()
    assert used and not any(placed[function] for function in used)


def test_another_language_is_not_parsed(smollm2: LoadedModel) -> None:
    found = corpus(smollm2, [FRENCH], tokens=200, window=100)
    assert not found.parsed and "function words" in found.notes[0]


def test_only_what_names_a_time_resolves() -> None:
    assert resolves("March 1851") and resolves("today")
    assert not resolves("the years ahead") and not resolves("the third century")
