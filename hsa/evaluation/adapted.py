"""What adaptation gained: a field before and after, beside one fitted on the very text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.spending import sensible_reads, spend
from hsa.attention.views import BlockView, block_views, into_layer
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

LAST, EVERY = 256, 8
"""Every 8th of the last 256 queries is measured, as in the figures of the design."""

OWN, SPLATS_OFF = "fitted_on_prompt", "splats_off"


@dataclass(frozen=True)
class TextErrors:
    """Relative output error ‖Ô - O‖_F / ‖O‖_F of every head on one text, by field.

    `splats_off` opens what the first field opens, and drops its closed splats; all have the same
    reads a head.
    """

    errors: Mapping[str, Float[Tensor, "L H"]]
    reads: float

    def mean(self, name: str) -> float:
        """Over heads."""
        return float(self.errors[name].double().mean())


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
        queries = _queries(given)
        of_layer = {name: field.layer(layer) for name, field in fields.items()}
        if own:
            of_layer[OWN] = _fitted_on(given, first, layer)
        for number, (name, field) in enumerate(of_layer.items()):
            framed = into_layer(given, field)
            sums = {}
            for view in block_views(framed, queries):
                truth = _exact(view)
                rows = {name: hsa_rows(view, plans[layer])}
                if number == 0:
                    rows[SPLATS_OFF] = opened_only_rows(view, plans[layer])
                    reads.append(rows[name].reads.mean())
                for of, row in rows.items():
                    wrong = (row.output - truth).square().sum(-1)
                    sums[of] = sums.get(of, 0) + _per_head(wrong, view.heads)
                sums["norm"] = sums.get("norm", 0) + _per_head(truth.square().sum(-1), view.heads)
            norm = sums.pop("norm").clamp_min(1e-30)
            for of, wrong in sums.items():
                found.setdefault(of, []).append((wrong / norm).sqrt())

    capture(loaded, tokens, layers, consumer=measure)
    return TextErrors(
        {name: torch.stack(rows) for name, rows in found.items()}, float(torch.stack(reads).mean())
    )


def _queries(given: Activations) -> Int[Tensor, " Q"]:
    positions = (~given.near_special).nonzero().squeeze(1)
    return positions[-LAST:][::EVERY]


def _exact(view: BlockView) -> Float[Tensor, "G B V"]:
    seen = view.near | view.block.far
    return view.logits.masked_fill(~seen, -torch.inf).softmax(-1) @ view.layer.v


def _per_head(rows: Float[Tensor, "G B"], heads: int) -> Float[Tensor, " H"]:
    return rows.unflatten(1, (heads, -1)).sum(-1).flatten()


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
    fitted on each text itself, with its 95 % interval over texts (paired bootstrap).
    """

    before: float
    after: float
    own: float
    splats_off: float
    reads: float
    by_text: dict[str, dict[str, float]]
    closed: float
    interval: tuple[float, float]


def gains(
    loaded: LoadedModel,
    before: ModelField,
    after: ModelField,
    texts: Sequence[Text],
    layers: list[int],
    own: bool,
    told: Callable[[str], None] = lambda name: None,
) -> Gains:
    """Measure a field before and after adaptation on texts that it has not read.

    Without `own` the gap is nought, and nothing of it is closed.
    """
    rows = []
    for text in texts:
        told(text.name)
        tokens = first_tokens(loaded.tokenize(text.content), min(4096, loaded.max_tokens))
        fields = {"before": before, "after": after}
        found = text_errors(loaded, fields, tokens, own, layers)
        rows.append({name: found.mean(name) for name in found.errors} | {"reads": found.reads})
    table = torch.tensor([[row[n] for n in ("before", "after")] + [row.get(OWN, row["before"])]
                          for row in rows], dtype=torch.float64)  # fmt: skip

    def closed(of: Tensor) -> Tensor:
        start, end, aim = of.mean(-2).unbind(-1)
        return (start - end) / (start - aim).where(start != aim, torch.inf)

    drawn = torch.randint(len(rows), (2000, len(rows)), generator=torch.Generator().manual_seed(0))
    spread = closed(table[drawn]).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    means = table.mean(0).tolist()
    return Gains(
        *means,
        splats_off=sum(row[SPLATS_OFF] for row in rows) / len(rows),
        reads=sum(row["reads"] for row in rows) / len(rows),
        by_text={text.name: row for text, row in zip(texts, rows, strict=True)},
        closed=float(closed(table)),
        interval=(float(spread[0]), float(spread[1])),
    )
