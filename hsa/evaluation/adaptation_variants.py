"""What each rule of adaptation is worth: the same texts with it switched off, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.adaptation.edit import KINDS
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.step import HeadStep, tally
from hsa.evaluation.adapted import OWN, SPLATS_OFF, text_errors
from hsa.field.model_field import ModelField
from hsa.fitting.adapt import Adaptation, Which
from hsa.fitting.settings import Text
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel

EVERYTHING = "all rules"
SHIPPED = "not adapted"
DRAWS = 4000


def variants(settings: AdaptationSettings) -> dict[str, AdaptationSettings]:
    """The settings; each rule switched off; evidence of the last text alone."""
    without = {
        f"without {kind}": replace(settings, rules=tuple(k for k in settings.rules if k != kind))
        for kind in KINDS
        if kind in settings.rules
    }
    return {EVERYTHING: settings, **without, "no history (α = 0)": replace(settings, history=0.0)}


@dataclass(frozen=True)
class Compared:
    """One variant on unseen texts.

    Attributes:
        error: mean relative output error over texts and heads.
        more: of the error with all rules, that it errs more; with its 95 % interval over texts
            and key/value heads (paired bootstrap of both).
        closed: share of the gap to splats fitted on each text itself.
        churn: splats born or gone a text, as a share of those that stand.
    """

    error: float
    more: float
    interval: tuple[float, float]
    closed: float
    churn: float
    accepted: Mapping[str, int]
    rolled_back: int


@dataclass(frozen=True)
class Comparison:
    """All of them, beside the field before, fields of the texts themselves, and splats off."""

    before: float
    own: float
    splats_off: float
    reads: float
    variants: Mapping[str, Compared]


def compare_variants(
    loaded: LoadedModel,
    field: ModelField,
    texts: Sequence[Text],
    kept: Sequence[Text],
    tests: Sequence[Text],
    tried: Mapping[str, AdaptationSettings],
    which: Which,
    told: Callable[[str], None] = lambda sentence: None,
) -> Comparison:
    """Adapt with every variant at once, one forward pass a text, then measure on `tests`."""
    runs = {name: Adaptation(loaded, field, which, of) for name, of in tried.items()}
    steps: dict[str, list[HeadStep]] = {name: [] for name in runs}
    layers = sorted(which.groups)
    most = min(next(iter(tried.values())).tokens_per_text, loaded.max_tokens)

    def keep(layer: int, given: Activations) -> None:
        for run in runs.values():
            run.layers[layer].keep(given.to("cpu"))

    def read(layer: int, given: Activations) -> None:
        for name, run in runs.items():
            steps[name] += run.layers[layer].read(given.to("cpu"))

    for consumer, given_texts in ((keep, kept), (read, texts)):
        for text in given_texts:
            told(f"Reading {text.name}")
            tokens = first_tokens(loaded.tokenize(text.content), most)
            capture(loaded, tokens, layers, consumer)

    fields = {SHIPPED: field} | {name: run.adapted() for name, run in runs.items()}
    errors: dict[str, list[Float[Tensor, " K"]]] = {}
    reads = []
    for text in tests:
        told(f"Measuring {text.name}")
        tokens = first_tokens(loaded.tokenize(text.content), min(4096, loaded.max_tokens))
        found = text_errors(loaded, fields, tokens, True, layers)
        reads.append(found.reads)
        for name in found.errors:
            errors.setdefault(name, []).append(_chosen(found.by_group(name), layers, which))
    table = {name: torch.stack(rows) for name, rows in errors.items()}  # [text, head]
    return Comparison(
        *(float(table[name].mean()) for name in (SHIPPED, OWN, SPLATS_OFF)),
        reads=sum(reads) / len(reads),
        variants={name: _compared(table, name, steps[name]) for name in runs},
    )


def _chosen(errors: Float[Tensor, "L G"], layers: list[int], which: Which) -> Float[Tensor, " K"]:
    rows = [errors[at, list(which.groups[layer])] for at, layer in enumerate(layers)]
    return torch.cat(rows)


def _compared(
    table: Mapping[str, Float[Tensor, "X K"]], name: str, steps: Sequence[HeadStep]
) -> Compared:
    mine, full = table[name], table[EVERYTHING]
    start, own = float(table[SHIPPED].mean()), float(table[OWN].mean())
    drawn = paired_draws(mine, full)
    counts = tally(steps)
    learned = [step for step in steps if step.evidence is not None]
    return Compared(
        error=float(mine.mean()),
        more=float(mine.mean() / full.mean() - 1),
        interval=(float(drawn.quantile(0.025)), float(drawn.quantile(0.975))),
        closed=(start - float(mine.mean())) / (start - own),
        churn=sum(step.churn() for step in learned) / max(len(learned), 1),
        accepted={kind: counts[True][kind] for kind in KINDS},
        rolled_back=counts[False].total(),
    )


def paired_draws(mine: Float[Tensor, "X K"], other: Float[Tensor, "X K"]) -> Float[Tensor, " B"]:
    """How much more `mine` errs than `other`, in draws of both texts and heads."""
    generator = torch.Generator().manual_seed(0)
    texts, heads = mine.shape
    text = torch.randint(texts, (DRAWS, texts, 1), generator=generator)
    head = torch.randint(heads, (DRAWS, 1, heads), generator=generator)
    return mine[text, head].mean((1, 2)) / other[text, head].mean((1, 2)) - 1
