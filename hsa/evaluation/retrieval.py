"""Which needles a model finds when it reads a part of the keys, outside of its window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.attention.block_plan import SINKS
from hsa.errors import InputError, ModelError
from hsa.evaluation.language import Window
from hsa.evaluation.needles import NOISE, Haystack, haystack
from hsa.field.model_field import ModelField
from hsa.inference.guard import Guard
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import run_plan
from hsa.models.loaded import LoadedModel
from hsa.models.program import Program, running
from hsa.models.splat_cache import splat_cache

METHODS = ("standard", "window", "opened_only", "hsa")

BINS = 5
"""Depths are told in this many equal parts of the depths at which needles lie."""

FINDS = 0.5
"""Depths at which standard attention finds less than this say nothing about HSA."""

Z = 1.96
"""Standard deviations of a 95 % interval."""


@dataclass(frozen=True)
class Rate:
    """How many of those asked for were found, with Wilson's 95 % interval."""

    found: int
    asked: int

    @property
    def share(self) -> float:
        """Found of asked; NaN where none was asked for."""
        return self.found / self.asked if self.asked else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval; all of [0, 1] where none was asked for."""
        if not self.asked:
            return 0.0, 1.0
        n, p = self.asked, self.share
        middle = p + Z * Z / (2 * n)
        half = Z * (p * (1 - p) / n + Z * Z / (4 * n * n)) ** 0.5
        scale = 1 + Z * Z / n
        return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


@dataclass(frozen=True)
class Found:
    """What one method found of N needles.

    Attributes:
        found: needles of which every digit was the likeliest token.
        reads: everything that a query of a question read, mean over layers, heads and queries.
        fallbacks: calls that standard attention answered in HSA's place.
    """

    found: Bool[Tensor, " N"]
    reads: float
    fallbacks: int


@dataclass(frozen=True)
class Retrieval:
    """N needles in haystacks of T tokens, asked for under every method.

    Attributes:
        depth: where each needle begins, as a share of its haystack.
        distance: keys between its end and the first query of its question.
        methods: what each of METHODS found.
    """

    tokens: int
    reads: int
    haystacks: int
    depth: Float[Tensor, " N"]
    distance: Float[Tensor, " N"]
    methods: dict[str, Found]

    def bins(self) -> list[Bool[Tensor, " N"]]:
        """Needles of each part of the depths, from the text's beginning on."""
        last = float(self.depth.max()) + 1e-6
        place = (self.depth / last * BINS).long()
        return [place == number for number in range(BINS)]

    def counted(self) -> Bool[Tensor, " N"]:
        """Needles at depths where standard attention finds at least half."""
        usual = self.methods["standard"].found
        kept = torch.zeros_like(usual)
        for part in self.bins():
            if part.any() and float(usual[part].float().mean()) >= FINDS:
                kept |= part
        return kept

    def rate(self, method: str, among: Bool[Tensor, " N"] | None = None) -> Rate:
        """Found of the needles `among` those asked for; of the counted depths if left out."""
        among = self.counted() if among is None else among
        return Rate(int(self.methods[method].found[among].sum()), int(among.sum()))

    def kept(self, method: str) -> Rate:
        """Of what standard attention finds at counted depths, what the method finds too."""
        return self.rate(method, self.counted() & self.methods["standard"].found)


def retrieval(
    loaded: LoadedModel,
    field: ModelField,
    tokens: int,
    reads: int,
    needles: int,
    per_haystack: int = 10,
    opening: str = "query",
    seed: int = 0,
    sentences: Sequence[str] = NOISE,
    told: Callable[[str], None] = lambda _: None,
) -> Retrieval:
    """Hide needles farther from their questions than `reads` keys, and ask for each.

    Args:
        reads: everything that the last query reads; a window of as many keys holds no needle.
        needles: in all, `per_haystack` in each haystack.
        told: given a line when a method has read a haystack.

    Raises:
        InputError: lengths, reads or needles that make no sense.
        ModelError: the model writes no text.
    """
    _check(loaded, tokens, needles, per_haystack)
    plan = run_plan(field, tokens, reads, opening)
    if plan.blocks is None:
        raise InputError("Nothing lies outside of what is read", got=f"{reads} reads of {tokens}",
                         needed="fewer reads than tokens")  # fmt: skip
    off = replace(plan, blocks=replace(plan.blocks, closed_answer=False))
    trusting = Guard(bound=1e6, checked=0)
    makers: dict[str, Callable[[], Program | None]] = {
        "standard": lambda: None,
        "window": lambda: Window(max(reads - SINKS, 1)),
        "opened_only": lambda: HSAProgram(loaded, field, off, guard=trusting),
        "hsa": lambda: HSAProgram(loaded, field, plan, guard=trusting),
    }
    generator = torch.Generator().manual_seed(seed)
    counts = [min(per_haystack, needles - at) for at in range(0, needles, per_haystack)]
    stacks = [haystack(loaded, tokens, n, reads, generator, sentences) for n in counts]
    found: dict[str, list[Found]] = {name: [] for name in METHODS}
    for number, stack in enumerate(stacks):
        for name in METHODS:
            answer = ask(loaded, stack, makers[name]())
            if name == "window":
                answer = replace(answer, reads=float(reads))
            found[name].append(answer)
            told(f"{tokens} tokens, haystack {number + 1} of {len(stacks)}, {name}: "
                 f"{int(answer.found.sum())} of {len(answer.found)}")  # fmt: skip
    places = [
        (needle.begin / len(stack.ids), len(stack.ids) - needle.end)
        for stack in stacks
        for needle in stack.needles
    ]
    depth, distance = torch.tensor(places, dtype=torch.float64).unbind(1)
    return Retrieval(
        tokens, reads, len(stacks), depth, distance,
        {name: _together(parts) for name, parts in found.items()},
    )  # fmt: skip


def ask(loaded: LoadedModel, stack: Haystack, program: Program | None) -> Found:
    """Read a haystack once under a program, and ask for each of its needles from there.

    A question and its answer are read in one pass: a needle is found if every digit is the
    likeliest token after the true ones before it, which is when greedy writing, given the bare
    space, would write the whole number.
    """
    cache = splat_cache(loaded.model.config)
    ledger = None
    if isinstance(program, HSAProgram):
        program.cache, ledger = cache, program.ledger
    found: list[bool] = []
    seen, queries = 0.0, 0
    with torch.no_grad(), running(program):
        _read(loaded, stack.ids, cache, 1)
        before = ledger and (ledger.reads.clone(), ledger.queries.clone())
        for needle in stack.needles:
            given = (*needle.question, *needle.answer[:-1])
            logits = _read(loaded, given, cache, len(needle.answer))
            right = logits.argmax(-1) == torch.tensor(needle.answer, device=logits.device)
            found.append(bool(right[torch.tensor(needle.scored, device=right.device)].all()))
            cache.crop(-len(given))
            seen += len(given) * (len(stack.ids) + (len(given) + 1) / 2)
            queries += len(given)
    reads, fallbacks = seen / queries, 0
    if ledger is not None and before is not None:
        asked = (ledger.queries - before[1]).unsqueeze(1)
        reads = float(((ledger.reads - before[0]) / asked).mean())
        fallbacks = ledger.fallbacks
    return Found(torch.tensor(found), reads, fallbacks)


def _read(loaded: LoadedModel, ids: Sequence[int], cache: object, kept: int) -> Tensor:
    """Logits [kept, V] of the last tokens, after which the cache holds all of them."""
    given = torch.tensor([list(ids)], device=loaded.model.device)
    return loaded.model(
        given, past_key_values=cache, use_cache=True, logits_to_keep=kept
    ).logits[0]  # fmt: skip


def _together(parts: list[Found]) -> Found:
    return Found(
        torch.cat([part.found for part in parts]),
        sum(part.reads * len(part.found) for part in parts) / sum(len(p.found) for p in parts),
        sum(part.fallbacks for part in parts),
    )


def _check(loaded: LoadedModel, tokens: int, needles: int, per_haystack: int) -> None:
    if not loaded.writes:
        raise ModelError(f"{loaded.title} writes no text",
                         needed="a causal language model with its output head",
                         attempt="use 'smollm2'")  # fmt: skip
    if not 1 <= tokens <= loaded.max_tokens:
        raise InputError("The haystack would not fit the model's context",
                         got=f"{tokens} tokens", needed=f"1 to {loaded.max_tokens}")  # fmt: skip
    if needles < 1 or per_haystack < 1:
        raise InputError("There is nothing to find", got=f"{needles} needles, "
                         f"{per_haystack} in a haystack", needed="at least 1 of each")  # fmt: skip
