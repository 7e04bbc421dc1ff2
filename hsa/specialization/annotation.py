"""A passage annotated: the functions of its tokens, and of pairs of them."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.specialization.functions import (
    DISTANCES,
    ENTITIES,
    PAIR_FUNCTIONS,
    PARTS_OF_SPEECH,
    RELATIONS,
    ROLES,
    TOKEN_FUNCTIONS,
    named,
)
from hsa.specialization.passages import Passage
from hsa.specialization.words import Words

QUOTES = set("\"'“”‘’«»`")
STOPS = set(".!?…")
DELIMITERS = set(":;-–—()[]{}/|")
TEMPORAL = ("DATE", "TIME")


@dataclass(frozen=True)
class Stretch:
    """A pair function by distance: key j and the queries from `first` to before `after`."""

    function: int
    first: Int[Tensor, " T"]
    after: Int[Tensor, " T"]


@dataclass(frozen=True)
class Annotation:
    """What functions the tokens and the pairs of a passage have.

    Attributes:
        token: whether each token has each token function.
        function, query, key: pairs one by one, each function's pairs at most once.
        stretches: pairs by distance, of which there are many.
    """

    token: Bool[Tensor, "T F"]
    function: Int[Tensor, " P"]
    query: Int[Tensor, " P"]
    key: Int[Tensor, " P"]
    stretches: tuple[Stretch, ...]

    def received(self, weights: Float[Tensor, "H T T"]) -> Float[Tensor, "H T F"]:
        """Attention that each key receives through each pair function: Σ_i A_ij over its pairs."""
        heads, tokens, _ = weights.shape
        count = len(PAIR_FUNCTIONS)
        found = weights.new_zeros(heads, tokens * count)
        found.index_add_(1, self.key * count + self.function, weights[:, self.query, self.key])
        found = found.view(heads, tokens, count)
        until = _running_sums(weights)
        for stretch in self.stretches:
            ends = torch.stack([stretch.after, stretch.first]).expand(heads, 2, tokens)
            after, first = until.gather(1, ends).unbind(1)
            found[:, :, stretch.function] += (after - first).clamp_min(0)
        return found


def _running_sums(weights: Float[Tensor, "H T T"]) -> Float[Tensor, "H U T"]:
    """What each key has received from all queries before the i-th, i = 0 … T.

    Row by row: four times as fast as cumsum along a dimension that is not the last.
    """
    heads, queries, keys = weights.shape
    sums = weights.new_zeros(heads, queries + 1, keys)
    for at in range(queries):
        torch.add(sums[:, at], weights[:, at], out=sums[:, at + 1])
    return sums


def annotate(passage: Passage, words: Words, causal: bool) -> Annotation:
    """The functions of a passage's tokens and pairs.

    Args:
        causal: a query sees no later key, so pairs are those of a key and a later query.
    """
    pairs = list(_pairs(passage, words, causal))
    function = [torch.full_like(query, place) for place, query, _ in pairs]
    rows = torch.stack(
        [torch.cat(part) for part in (function, [q for _, q, _ in pairs], [k for *_, k in pairs])]
    )
    rows = rows[:, rows[1] >= rows[2]] if causal else rows
    return Annotation(
        token=token_functions(passage, words),
        function=rows[0], query=rows[1], key=rows[2],
        stretches=tuple(_stretches(words, causal)),
    )  # fmt: skip


def token_functions(passage: Passage, words: Words) -> Bool[Tensor, "T F"]:
    """Which token functions each token has."""
    tokens = passage.tokens
    place = named("token")
    found = torch.zeros(len(tokens), len(TOKEN_FUNCTIONS), dtype=torch.bool)

    def mark(name: str, where: Tensor | Sequence[bool]) -> None:
        found[:, place[name]] = torch.as_tensor(where, dtype=torch.bool)

    stripped = [text.strip() for text in tokens.strings]
    real = ~torch.tensor(tokens.special)

    def made_of(letters: set[str]) -> list[bool]:
        return [bool(text) and set(text) <= letters for text in stripped]

    mark("comma", [text == "," for text in stripped])
    mark("stop", made_of(STOPS))
    mark("quote", made_of(QUOTES))
    mark("delimiter", made_of(DELIMITERS))
    mark("line_break", ["\n" in text and not text.strip() for text in tokens.strings])
    mark("capital", [text[:1].isupper() for text in stripped])
    mark("digits", [any(letter in string.digits for letter in text) for text in stripped])
    same_word = torch.zeros(len(tokens), dtype=torch.bool)
    same_word[1:] = (words.word[1:] == words.word[:-1]) & (words.word[1:] >= 0)
    mark("continuation", same_word)
    seen: set[int] = set()
    mark("repeated", [token in seen or seen.add(token) is not None for token in tokens.ids])
    edge = torch.ones(len(tokens), dtype=torch.bool)
    edge[1:] = words.sentence[1:] != words.sentence[:-1]
    mark("sentence_start", edge)
    mark("sentence_end", _last_words(words, found[:, place["stop"]] | found[:, place["quote"]]))
    third = 3 * torch.arange(len(tokens)) // max(1, len(tokens))
    for number, name in enumerate(("early", "middle", "late")):
        mark(name, third == number)
    if words.parsed:
        for name, of_word in _parsed_functions(words):
            mark(name, torch.cat([of_word, torch.zeros(1, dtype=torch.bool)])[words.word])
    return found & real.unsqueeze(1)


def _parsed_functions(words: Words) -> Iterator[tuple[str, Bool[Tensor, " W"]]]:
    def among(values: Sequence[str], names: Sequence[str]) -> Bool[Tensor, " W"]:
        return torch.tensor([value in names for value in values])

    for tag in PARTS_OF_SPEECH:
        yield tag.lower(), among(words.tag, (tag,))
    for name, (_, labels) in ENTITIES.items():
        yield name, among(words.entity, labels)
    yield "temporal", among(words.entity, TEMPORAL)
    yield "date", words.dated
    for name, (_, labels) in ROLES.items():
        yield name, among(words.dependency, labels)


def _last_words(words: Words, closing: Bool[Tensor, " T"]) -> Bool[Tensor, " T"]:
    """Tokens of the last word of each sentence, its closing marks left out."""
    inner = (words.word >= 0) & ~closing
    last = torch.zeros(len(inner), dtype=torch.bool)
    sentences = int(words.sentence.max()) + 1 if len(inner) else 0
    at = torch.full((sentences,), -1)
    places = inner.nonzero().squeeze(1)
    at.scatter_reduce_(0, words.sentence[places], places, "amax")
    final = words.word[at[at >= 0]]
    last[inner] = torch.isin(words.word[inner], final)
    return last


def _pairs(passage: Passage, words: Words, causal: bool) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(pair function, queries, keys), each key seen by its query where the model is causal."""
    place = named("pair")
    ids = torch.tensor(passage.tokens.ids)
    real = ~torch.tensor(passage.tokens.special)
    same = (ids.unsqueeze(1) == ids) & real & real.unsqueeze(1)
    same.fill_diagonal_(False)
    query, key = same.nonzero().unbind(1)
    yield place["repeat"], query, key
    follows = key + 1
    inside = (follows < len(ids)) & (follows != query)
    yield place["induction"], query[inside], follows[inside]
    within = (words.word.unsqueeze(1) == words.word) & (words.word >= 0)
    within.fill_diagonal_(False)
    query, key = within.nonzero().unbind(1)
    yield place["same_word"], query, key
    if not words.parsed:
        return
    tokens_of = _tokens_of_words(words)
    for name, (labels, _, _) in RELATIONS.items():
        dependent = torch.tensor([label in labels for label in words.dependency]).nonzero()
        dependent = dependent.squeeze(1)
        dependent = dependent[words.head[dependent] != dependent]
        of_head, of_dependent = _between(tokens_of, words.head[dependent], dependent)
        yield place[f"{name}_of"], of_head, of_dependent
        yield place[f"{name}_for"], of_dependent, of_head
        if name == "subject":
            starts = _first_tokens(words, tokens_of)
            verb = words.head[dependent]
            known = starts[verb] > 0
            before, subject = _between(
                tokens_of, None, dependent[known], queries=starts[verb[known]] - 1
            )
            yield place["before_verb"], before, subject


def _tokens_of_words(words: Words) -> tuple[Tensor, Tensor]:
    """First place in `order` and number of the tokens of each word, and that order."""
    count = torch.zeros(len(words.tag) + 1, dtype=torch.long)
    count.index_add_(0, words.word.clamp_min(-1) + 1, torch.ones_like(words.word))
    order = words.word.argsort(stable=True)
    start = count.cumsum(0) - count
    return torch.stack([start[1:], count[1:]]), order


def _first_tokens(words: Words, tokens_of: tuple[Tensor, Tensor]) -> Int[Tensor, " W"]:
    """Place of each word's first token; 0 for a word without."""
    (start, count), order = tokens_of
    return torch.where(count > 0, order[start.clamp_max(len(order) - 1)], 0)


def _between(
    tokens_of: tuple[Tensor, Tensor],
    asking: Int[Tensor, " E"] | None,
    asked: Int[Tensor, " E"],
    queries: Int[Tensor, " E"] | None = None,
) -> tuple[Tensor, Tensor]:
    """All pairs of a token of the asking word, or the query given, and one of the word asked."""
    (start, count), order = tokens_of
    ones = torch.ones_like(asked)
    many = count[asking] if asking is not None else ones
    number = many * count[asked]
    row = torch.arange(len(asked)).repeat_interleave(number)
    within = torch.arange(len(row)) - (number.cumsum(0) - number)[row]
    wide = count[asked][row]
    key = order[start[asked][row] + within % wide]
    if asking is None:
        assert queries is not None
        return queries[row], key
    return order[start[asking][row] + within // wide], key


def _stretches(words: Words, causal: bool) -> Iterator[Stretch]:
    """Pairs by distance, and within a sentence: for each key a run of queries."""
    place = named("pair")
    count = len(words.word)
    at = torch.arange(count)
    for low, high in DISTANCES:
        function = place[f"distance_{low}"]
        end = count if high is None else high + 1
        yield Stretch(function, (at + low).clamp_max(count), (at + end).clamp_max(count))
        if not causal and low > 0:
            reach = count if high is None else high
            yield Stretch(function, (at - reach).clamp_min(0), (at - low + 1).clamp_min(0))
    starts = torch.searchsorted(words.sentence, words.sentence)
    ends = torch.searchsorted(words.sentence, words.sentence, right=True)
    yield Stretch(place["same_sentence"], (at + 1).clamp_max(count), ends.clamp_min(at + 1))
    if not causal:
        yield Stretch(place["same_sentence"], starts, at)
