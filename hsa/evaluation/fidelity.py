"""HSA and its rivals against exact attention, on one text, under one fixed protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.spending import oracle_spend, spend
from hsa.attention.views import BlockView, block_views, into_layer
from hsa.evaluation.methods import (
    MethodRows,
    hsa_rows,
    opened_only_rows,
    oracle_rows,
    page_rows,
    read_rows,
    window_rows,
)
from hsa.field.layer_field import LayerField
from hsa.field.model_field import ModelField

METHODS = (
    "hsa", "hsa_uniform", "oracle_topk", "oracle_same_reads", "oracle_own_reads", "window",
    "opened_only", "pages", "centroid",
)  # fmt: skip
MEASURES = ("error", "reads", "kl_nats", "total_variation", "multiply_adds")
QUERIES = 256

Rows = Callable[[BlockView], MethodRows]


@dataclass(frozen=True)
class Fidelity:
    """Every method's measures per layer and head.

    `error` is ‖Ô - O‖_F / ‖O‖_F over the queries; `reads` far reads per query; `kl_nats` the
    mean over rows of KL(method ‖ exact), which is finite where keys are dropped;
    `total_variation` the mean of ½ Σ_j |Â_ij - A_ij|; `multiply_adds` per query.
    """

    layers: tuple[int, ...]
    measures: Mapping[str, Mapping[str, Float[Tensor, "L H"]]]

    def summary(self) -> dict[str, dict[str, float]]:
        """Over heads: error's mean, median and worst, the mean of everything else."""
        table = {}
        for method, of in self.measures.items():
            error = of["error"].flatten().double()
            table[method] = {
                "mean": float(error.mean()),
                "median": float(error.quantile(0.5)),
                "worst": float(error.max()),
            } | {name: float(of[name].mean()) for name in MEASURES if name != "error"}
        return table


def fidelity(
    captured: Mapping[int, Activations],
    field: ModelField,
    mean_reads: float,
    way: str | None = None,
    progress: Callable[[str, float | None], None] | None = None,
    only: Collection[str] = METHODS,
) -> Fidelity:
    """Measure the methods asked for, and HSA, on the last 256 queries of a text.

    HSA goes first, over all layers, for the oracle then reads what HSA read.
    """
    report = progress or (lambda sentence, fraction: None)
    layers = tuple(sorted(captured))
    tokens = captured[layers[0]].tokens
    plans = {
        "hsa": spend(field, mean_reads, tokens, way),
        "hsa_uniform": spend(field, mean_reads, tokens, "uniform"),
    }
    own = oracle_spend(field, mean_reads, tokens)
    wanted = [method for method in METHODS if method in {"hsa", *only}]
    found: dict[str, list[dict[str, Tensor]]] = {method: [] for method in wanted}
    for number, layer in enumerate(layers):
        report(f"HSA, layer {layer}", 0.6 * number / len(layers))
        plan, uniform = plans["hsa"][layer], plans["hsa_uniform"][layer]
        methods: dict[str, Rows] = {
            "hsa": lambda view, plan=plan: hsa_rows(view, plan),
            "hsa_uniform": lambda view, plan=uniform: hsa_rows(view, plan),
            "centroid": lambda view, plan=plan: hsa_rows(view, plan, weighted=False),
            "opened_only": lambda view, plan=plan: opened_only_rows(view, plan),
            "window": window_rows,
        }
        chosen = {method: rows for method, rows in methods.items() if method in wanted}
        for method, scores in _measure(captured[layer], field.layer(layer), chosen).items():
            found[method].append(scores)
    reads = torch.stack([scores["reads"] for scores in found["hsa"]])
    everywhere = torch.full_like(reads[0], float(reads.mean()))
    for number, layer in enumerate(layers):
        report(f"Oracle and pages, layer {layer}", 0.6 + 0.4 * number / len(layers))
        budgets = {
            "oracle_topk": everywhere,
            "oracle_same_reads": reads[number],
            "oracle_own_reads": own[layer].float(),
            "pages": everywhere,
        }
        rivals: dict[str, Rows] = {}
        for method, k in budgets.items():
            if method not in wanted:
                continue
            rows = page_rows if method == "pages" else oracle_rows
            rivals[method] = lambda view, k=k, rows=rows: rows(view, _per_row(view, k))
        if rivals:
            for method, scores in _measure(captured[layer], field.layer(layer), rivals).items():
                found[method].append(scores)
    return Fidelity(
        layers,
        {
            method: {name: torch.stack([s[name] for s in scores]) for name in MEASURES}
            for method, scores in found.items()
        },
    )


def protocol_queries(activations: Activations) -> Int[Tensor, " Q"]:
    """The last 256 positions that hold text."""
    positions = (~activations.near_special).nonzero().squeeze(1)
    return positions[-QUERIES:]


def _measure(
    activations: Activations, field: LayerField, methods: Mapping[str, Rows]
) -> dict[str, dict[str, Float[Tensor, " H"]]]:
    """Every measure of every method, per query head of one layer."""
    queries = protocol_queries(activations)
    layer = into_layer(activations, field)
    heads = field.temper.shape[1]
    totals: dict[str, dict[str, Tensor]] = {}
    norm = torch.zeros(())
    for view in block_views(layer, queries):
        visible = (view.near | view.block.far).expand(view.logits.shape)
        truth = read_rows(view, visible, visible.sum(-1).float(), 0.0)
        norm = norm + per_head(truth.output.square().sum(-1), heads)
        log_truth = truth.weights.clamp_min(1e-38).log()
        for method, rows in methods.items():
            given = rows(view)
            kl = (given.weights * (given.weights.clamp_min(1e-38).log() - log_truth)).sum(-1)
            variation = 0.5 * (given.signed - truth.weights).abs().sum(-1)
            wrong = (given.output - truth.output).square().sum(-1)
            row = {
                "square": wrong, "reads": given.reads, "kl_nats": kl,
                "total_variation": variation, "multiply_adds": given.multiply_adds,
            }  # fmt: skip
            into = totals.setdefault(method, {})
            for name, values in row.items():
                into[name] = into.get(name, 0) + per_head(values, heads)
    measured = {}
    for method, sums in totals.items():
        measured[method] = {
            "error": (sums["square"] / norm.clamp_min(1e-30)).sqrt(),
        } | {name: sums[name] / queries.numel() for name in MEASURES if name != "error"}
    return measured


def per_head(rows: Float[Tensor, "G B"], heads: int) -> Float[Tensor, " H"]:
    """Sums over the rows of each query head."""
    return rows.unflatten(1, (heads, -1)).sum(-1).flatten()


def _per_row(view: BlockView, k: Float[Tensor, " H"]) -> Int[Tensor, "G B"]:
    groups = view.logits.shape[0]
    whole = k.floor().long().view(groups, view.heads)
    return whole.repeat_interleave(view.block.queries.numel(), dim=1)
