"""What a visitor waits for, in seconds: measured on this machine, never a test."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.effective import effective_weights
from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.spending import sensible_reads, spend
from hsa.attention.views import FramedLayer, into_layer
from hsa.evaluation.head_grid import head_grid
from hsa.explanation.contributors import explain_row
from hsa.explanation.pair import explain_pair
from hsa.field.model_field import ModelField
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens


@dataclass(frozen=True)
class Wait:
    """One thing waited for: median and range of several runs after one that is not counted."""

    what: str
    tokens: int
    median_seconds: float
    least_seconds: float
    most_seconds: float
    wanted_seconds: float | None


WANTED_GRID = {128: 6.0, 2048: 30.0}
WANTED_HEAD = {512: 2.0, 2048: 4.0}
WANTED_CLICK = 0.5


def waits(loaded: LoadedModel, field: ModelField, text: Tokens, runs: int) -> list[Wait]:
    """Forward pass, grid of all heads, and one head's maps and explanation, by text length."""
    lengths = [n for n in (128, 512, 2048) if n <= min(len(text), loaded.max_tokens)]
    return [
        wait
        for length in lengths
        for wait in _at_length(loaded, field, first_tokens(text, length), runs)
    ]


def _at_length(loaded: LoadedModel, field: ModelField, text: Tokens, runs: int) -> list[Wait]:
    length = len(text)
    captured: dict[int, Activations] = {}
    plan = spend(field, sensible_reads(length), length)
    number = loaded.layers // 2
    layer = field.layer(number).group(0, slice(0, 1))

    def forward() -> None:
        captured.update(capture(loaded, text))

    def grid() -> None:
        head_grid(captured.values(), field, plan, text.ids)

    def maps() -> tuple[HSAResult, FramedLayer]:
        one = captured[number]
        head = replace(one, q=one.q[:1], k=one.k[:1], v=one.v[:1])
        result = attend(head, layer, plan[number].heads(slice(0, 1)))
        framed = into_layer(head, layer)
        effective_weights(result, framed).sub_(exact.weights(head))
        return result, framed

    found = [
        _timed("forward pass, all layers captured", length, None, forward, runs),
        _timed("grid of every head", length, WANTED_GRID.get(length), grid, runs),
        _timed("one head: both maps, difference", length, WANTED_HEAD.get(length), maps, runs),
    ]
    result, framed = maps()

    def click() -> None:
        explain_pair(result, framed, text.strings, 0, length - 1, length // 2)
        explain_row(result, framed, text.strings, 0, length - 1)

    return [*found, _timed("click: shares, row and checks", length, WANTED_CLICK, click, runs)]


def _timed(
    what: str, tokens: int, wanted: float | None, work: Callable[[], object], runs: int
) -> Wait:
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return Wait(what, tokens, statistics.median(seconds), min(seconds), max(seconds), wanted)


def machine() -> str:
    """The threads and kind of machine that the seconds were measured on."""
    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
