"""Blocked HSA of one layer against the fastest exact attention, in seconds and in error."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from hsa.activations import Activations
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked import blocked_attention
from hsa.evaluation.blocked_error import (
    HeadErrors,
    LastReads,
    head_errors,
    last_reads,
    sampled_queries,
)
from hsa.evaluation.blocked_memory import peak_bytes
from hsa.field.layer_field import LayerField

PRODUCTS_MOST_TOKENS = 8192
PRODUCTS_SKIPPED = (
    f"slower than the fused kernels at {PRODUCTS_MOST_TOKENS} tokens, and all are quadratic"
)
PRODUCTS_BLOCK = 256

PLANS = {
    2048: BlockPlan(block=64, splats=128, tokens=96, scored=4),
    8192: BlockPlan(block=256, splats=96, tokens=32, scored=4, chunk=2),
    16384: BlockPlan(splats=128, tokens=448, scored=4),
    32768: BlockPlan(splats=160, tokens=896, scored=4),
}
"""The cheapest plans tried whose error on layer 15 of SmolLM2 stays below 0.08, by length."""

Attention = Callable[[], Float[Tensor, "H T V"]]


@dataclass(frozen=True)
class SpeedRow:
    """One text length: medians in seconds, errors as means over heads and sampled queries.

    Attributes:
        baseline, sdpa_seconds: the fastest of the baselines.
        reads: what the last query reads, its share of choosing included; `reads_parts` of it.
        hsa_peak_bytes: of one call, above the level before it.
        baselines: every exact attention's median; `skipped` says why one was not run.
        field: shipped, or fitted over how many positions.
    """

    tokens: int
    sdpa_seconds: float
    hsa_seconds: float
    speedup: float
    error: float
    window_error: float
    opened_only_error: float
    reads: float
    reads_parts: Mapping[str, float]
    hsa_peak_bytes: int
    baseline: str
    baselines: Mapping[str, float]
    skipped: Mapping[str, str]
    field: str
    plan: Mapping[str, int]


def plan_for(tokens: int) -> BlockPlan:
    """The plan of the next length that has one; of the longest beyond."""
    return PLANS[min((length for length in PLANS if length >= tokens), default=max(PLANS))]


def exact_attentions(a: Activations) -> tuple[dict[str, Attention], dict[str, str]]:
    """Ways to compute exact attention by name, and why one is left out."""
    repeated = {name: getattr(a, name).repeat_interleave(a.group, dim=0) for name in ("k", "v")}

    def grouped() -> Tensor:
        return scaled_dot_product_attention(
            a.q[None], a.k[None], a.v[None], is_causal=True, scale=a.scaling, enable_gqa=True
        )[0]

    def repeated_before() -> Tensor:
        return scaled_dot_product_attention(
            a.q[None], repeated["k"][None], repeated["v"][None], is_causal=True, scale=a.scaling
        )[0]

    ways = {"sdpa_gqa": grouped, "sdpa_repeated": repeated_before}
    if a.tokens > PRODUCTS_MOST_TOKENS:
        return ways, {"products": PRODUCTS_SKIPPED}
    return ways | {"products": lambda: products(a)}, {}


def products(a: Activations) -> Float[Tensor, "H T V"]:
    """Softmax of plain products, block of queries by block, later blocks of keys left out."""
    groups, dim = a.k.shape[0], a.q.shape[2]
    outputs = []
    for begin in range(0, a.tokens, PRODUCTS_BLOCK):
        end = min(begin + PRODUCTS_BLOCK, a.tokens)
        q = a.q[:, begin:end].reshape(groups, -1, dim) * a.scaling
        logits = (q @ a.k[:, :end].mT).view(groups, a.group, end - begin, end)
        later = torch.ones(end - begin, end - begin, dtype=torch.bool).triu(1)
        logits[..., begin:].masked_fill_(later, -torch.inf)
        weights = logits.softmax(-1).view(groups, -1, end)
        outputs.append((weights @ a.v[:, :end]).view(len(a.q), end - begin, -1))
    return torch.cat(outputs, dim=1)


def median_seconds(
    baselines: Mapping[str, Attention], hsa: Callable[[], object], runs: int
) -> tuple[dict[str, float], float]:
    """Medians of every baseline, and of HSA, which runs after each of them.

    Interleaved, so that what else the machine does meanwhile falls on both; the first round
    is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in baselines}
    own: list[float] = []
    for _ in range(1 + runs):
        for name, attention in baselines.items():
            seconds[name].append(_seconds(attention))
            own.append(_seconds(hsa))
    counted = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    return counted, statistics.median(own[len(baselines) :])


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.no_grad()
def speed_row(
    activations: Activations, field: LayerField, plan: BlockPlan, runs: int, field_name: str
) -> SpeedRow:
    """Measure one text length."""
    a = activations

    def hsa() -> object:
        return blocked_attention(a.q, a.k, a.v, a.scaling, field, plan)

    ways, skipped = exact_attentions(a)
    baselines, hsa_seconds = median_seconds(ways, hsa, runs)
    kept = blocked_attention(a.q, a.k, a.v, a.scaling, field, plan, keep=True)
    errors = head_errors(a, kept, plan, sampled_queries(a.tokens))
    reads = last_reads(kept, plan, a.tokens)
    return _row(
        a.tokens, baselines, hsa_seconds, errors, reads, peak_bytes(a, field, plan), skipped,
        field_name, plan,
    )  # fmt: skip


def _row(
    tokens: int,
    baselines: dict[str, float],
    hsa_seconds: float,
    errors: HeadErrors,
    reads: LastReads,
    peak: int,
    skipped: dict[str, str],
    field: str,
    plan: BlockPlan,
) -> SpeedRow:
    fastest = min(baselines, key=lambda name: baselines[name])
    return SpeedRow(
        tokens=tokens,
        sdpa_seconds=baselines[fastest],
        hsa_seconds=hsa_seconds,
        speedup=baselines[fastest] / hsa_seconds,
        error=float(errors.hsa.mean()),
        window_error=float(errors.window.mean()),
        opened_only_error=float(errors.opened_only.mean()),
        reads=reads.total,
        reads_parts=dict(reads.__dict__),
        hsa_peak_bytes=peak,
        baseline=fastest,
        baselines=baselines,
        skipped=skipped,
        field=field,
        plan=asdict(plan),
    )
