"""What adaptation gained: a field before and after, beside one fitted on the very text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.baselines import softmax_over
from hsa.attention.spending import sensible_reads, spend
from hsa.attention.views import block_views, into_layer
from hsa.evaluation.fidelity import per_head, protocol_queries
from hsa.evaluation.methods import hsa_rows, opened_only_rows
from hsa.field.frame import keys_into_frame
from hsa.field.layer_field import LayerField, stack
from hsa.field.model_field import ModelField
from hsa.field.seeding import seed_in_frame
from hsa.field.splat_field import SplatField
from hsa.fitting.settings import Text
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens

EVERY = 8
"""Of the queries of the fidelity protocol, as in the figures of the design."""

OWN, SPLATS_OFF = "fitted_on_prompt", "splats_off"


@dataclass(frozen=True)
class TextErrors:
    """Relative output error ‖Ô - O‖_F / ‖O‖_F of every head on one text, by field.

    `splats_off` opens what the first field opens, and drops its closed splats; all have the same
    reads a head.
    """

    layers: tuple[int, ...]
    groups: int
    errors: Mapping[str, Float[Tensor, "L H"]]
    reads: float

    def by_group(self, name: str) -> Float[Tensor, "L G"]:
        """Of each key/value head: the mean over its query heads."""
        return self.errors[name].double().unflatten(1, (self.groups, -1)).mean(-1)

    def mean(self, name: str, heads: Sequence[tuple[int, int]] | None = None) -> float:
        """Over all heads, or over the query heads of some (layer, key/value head)."""
        errors = self.by_group(name)
        if heads is None:
            return float(errors.mean())
        chosen = [errors[self.layers.index(layer), group] for layer, group in heads]
        return float(torch.stack(chosen).mean())


def text_errors(
    loaded: LoadedModel,
    fields: Mapping[str, ModelField],
    tokens: Tokens,
    own: bool = False,
    layers: list[int] | None = None,
) -> TextErrors:
    """Measure fields that share frames and calibration, layer by layer.

    Args:
        fields: the first gives the reads of each head, which are the same for all.
        own: also with splats fitted on this text itself, as many on each level.
    """
    first = next(iter(fields.values()))
    plans = spend(first, sensible_reads(len(tokens)), len(tokens), "per_head")
    found: dict[str, list[Tensor]] = {}
    reads: list[Tensor] = []

    def measure(layer: int, given: Activations) -> None:
        given = given.to("cpu")
        queries = protocol_queries(given)[::EVERY]
        of_layer = {name: field.layer(layer) for name, field in fields.items()}
        if own:
            of_layer[OWN] = _fitted_on(given, first, layer)
        for number, (name, field) in enumerate(of_layer.items()):
            framed = into_layer(given, field)
            sums = {}
            for view in block_views(framed, queries):
                seen = (view.near | view.block.far).expand(view.logits.shape)
                truth = softmax_over(view, seen) @ view.layer.v
                rows = {name: hsa_rows(view, plans[layer])}
                if number == 0:
                    rows[SPLATS_OFF] = opened_only_rows(view, plans[layer])
                    reads.append(rows[name].reads.mean())
                for of, row in rows.items():
                    wrong = (row.output - truth).square().sum(-1)
                    sums[of] = sums.get(of, 0) + per_head(wrong, view.heads)
                sums["norm"] = sums.get("norm", 0) + per_head(truth.square().sum(-1), view.heads)
            norm = sums.pop("norm").clamp_min(1e-30)
            for of, wrong in sums.items():
                found.setdefault(of, []).append((wrong / norm).sqrt())

    capture(loaded, tokens, layers, consumer=measure)
    return TextErrors(
        layers=tuple(range(loaded.layers) if layers is None else sorted(layers)),
        groups=loaded.key_value_heads,
        errors={name: torch.stack(rows) for name, rows in found.items()},
        reads=float(torch.stack(reads).mean()),
    )


def _fitted_on(given: Activations, field: ModelField, layer: int) -> LayerField:
    """Splats of the text's own keys in the frame of the field, with its tempers and tilts."""
    generator = torch.Generator().manual_seed(field.seed)
    ordinary = ~given.near_special
    ordinary[: 4 if given.causal else 0] = False
    heads = []
    for head, keys in zip(field.heads[layer], given.k[:, ordinary], strict=True):
        x = keys_into_frame(head.frame, keys.float())
        heads.append(seed_in_frame(x, head.frame, _sizes(head, x.shape[0]), generator))
    stacked = field.layer(layer)
    return stack(heads, stacked.temper, stacked.tilt)


def _sizes(head: SplatField, keys: int) -> tuple[int, int, int]:
    documents, sections, phrases = (int((head.level == level).sum()) for level in range(3))
    phrases = min(phrases, keys)
    sections = min(sections, phrases)
    return min(documents, sections), sections, phrases


@dataclass(frozen=True)
class Gains:
    """Errors over texts and heads before and after; `closed` is the share of the gap to splats
    fitted on each text itself, `rise` that of the error; with their 95 % intervals over texts
    (paired bootstrap).
    """

    before: float
    after: float
    own: float
    splats_off: float
    reads: float
    by_text: dict[str, dict[str, float]]
    closed: float
    interval: tuple[float, float]
    rise: float
    rise_interval: tuple[float, float]


def gains(
    loaded: LoadedModel,
    before: ModelField,
    after: ModelField,
    texts: Sequence[Text],
    layers: list[int],
    own: bool,
    told: Callable[[str], None] = lambda name: None,
    most: int = 4096,
) -> Gains:
    """Measure a field before and after adaptation on texts that it has not read.

    Without `own` the gap is nought, and nothing of it is closed.

    Args:
        most: tokens read of a text. A field that read short texts errs more on long ones: keys
            turn with their positions.
    """
    rows = []
    for text in texts:
        told(text.name)
        tokens = first_tokens(loaded.tokenize(text.content), min(most, loaded.max_tokens))
        fields = {"before": before, "after": after}
        found = text_errors(loaded, fields, tokens, own, layers)
        rows.append({name: found.mean(name) for name in found.errors} | {"reads": found.reads})
    table = torch.tensor([[row[n] for n in ("before", "after")] + [row.get(OWN, row["before"])]
                          for row in rows], dtype=torch.float64)  # fmt: skip

    def closed(of: Tensor) -> Tensor:
        start, end, aim = of.mean(-2).unbind(-1)
        return (start - end) / (start - aim).where(start != aim, torch.inf)

    def rise(of: Tensor) -> Tensor:
        start, end, _ = of.mean(-2).unbind(-1)
        return end / start - 1

    drawn = torch.randint(len(rows), (2000, len(rows)), generator=torch.Generator().manual_seed(0))
    middle = torch.tensor([0.025, 0.975], dtype=torch.float64)

    def interval(share: Callable[[Tensor], Tensor]) -> tuple[float, float]:
        low, high = share(table[drawn]).quantile(middle).tolist()
        return low, high

    means = table.mean(0).tolist()
    return Gains(
        *means,
        splats_off=sum(row[SPLATS_OFF] for row in rows) / len(rows),
        reads=sum(row["reads"] for row in rows) / len(rows),
        by_text={text.name: row for text, row in zip(texts, rows, strict=True)},
        closed=float(closed(table)),
        interval=interval(closed),
        rise=float(rise(table)),
        rise_interval=interval(rise),
    )
