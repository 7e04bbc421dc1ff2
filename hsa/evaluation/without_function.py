"""What the splats of one function do for agreement: removed, beside random ones of equal mass."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.exact import weights
from hsa.errors import InputError
from hsa.evaluation.number_agreement import AgreementCase, margins
from hsa.field.model_field import ModelField
from hsa.field.routing import key_paths
from hsa.field.splat_field import PHRASE
from hsa.inference.removed_splats import RemovedSplats
from hsa.models.cache import Progress
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.models.program import running
from hsa.specialization.findings import ALL, FIGURES, Findings

Splats = dict[tuple[int, int], set[int]]
"""Ids of splats by layer and query head."""


@dataclass(frozen=True)
class Outcome:
    """Agreement under one removal.

    Attributes:
        splats: removed; `mass` is what the tokens before the verbs gave them, summed over heads
            and meaned over sentences.
        margin: mean log odds of the right number, in nats; `right` the share of sentences where
            it is the likelier.
    """

    splats: int
    mass: float
    margin: float
    right: float


@dataclass(frozen=True)
class WithoutFunction:
    """The model as it is, without the splats of a function, and without random ones instead.

    Attributes:
        p: share of draws that hurt at least as much, the function's own counted as one of them.
    """

    functions: tuple[str, ...]
    sentences: int
    whole: Outcome
    without: Outcome
    draws: tuple[Outcome, ...]

    @property
    def p(self) -> float:
        """One-sided, by permutation."""
        worse = sum(draw.margin <= self.without.margin for draw in self.draws)
        return (1 + worse) / (1 + len(self.draws))


def strongest(findings: Findings, functions: Collection[str], most: int) -> Splats:
    """The Phrases that serve one of the functions most, by what it tells in bits."""
    places = [place for place, one in enumerate(ALL) if one.name in functions]
    rows = torch.isin(findings.function, torch.tensor(places)) & (findings.level == PHRASE)
    rows = rows.nonzero().squeeze(1)
    if not len(rows):
        raise InputError(
            "No splat is known to serve this", got=", ".join(functions),
            needed="findings that claim it", attempt="measure on more text",
        )  # fmt: skip
    told = findings.figures[rows, FIGURES.index("bits")]
    found: Splats = {}
    count = 0
    for row in rows[told.argsort(descending=True)].tolist():
        one = findings.finding(row)
        own = found.setdefault((one.layer, one.head), set())
        count += one.splat_id not in own
        own.add(one.splat_id)
        if count == most:
            break
    return found


def without_function(
    loaded: LoadedModel,
    field: ModelField,
    findings: Findings,
    functions: Sequence[str],
    cases: Sequence[AgreementCase],
    most: int,
    draws: int,
    seed: int,
    progress: Progress | None = None,
) -> WithoutFunction:
    """Remove the strongest splats of the functions, then random ones of equal mass, and measure.

    Random ones are drawn for each head on its own among the Phrases that are not claimed for the
    functions, until the tokens before the verbs give them as much.
    """
    chosen = strongest(findings, functions, most)
    known = strongest(findings, functions, 10**9)
    mass = _mass(loaded, field, cases, {layer for layer, _ in chosen})
    random = torch.Generator().manual_seed(seed)

    def outcome(removed: Splats) -> Outcome:
        if removed:
            with running(RemovedSplats(loaded, field, removed)):
                found = margins(loaded, cases)
        else:
            found = margins(loaded, cases)
        total = sum(mass[head][splat] for head, own in removed.items() for splat in own)
        return Outcome(
            sum(len(own) for own in removed.values()), total, float(found.mean()),
            float((found > 0).float().mean()),
        )  # fmt: skip

    whole, without = outcome({}), outcome(chosen)
    drawn = []
    for at in range(draws):
        if progress is not None:
            progress(f"Random splats of equal mass, draw {at + 1} of {draws}", at / draws)
        drawn.append(outcome(_equal_mass(chosen, known, mass, random)))
    return WithoutFunction(tuple(functions), len(cases), whole, without, tuple(drawn))


def _mass(
    loaded: LoadedModel, field: ModelField, cases: Sequence[AgreementCase], layers: set[int]
) -> dict[tuple[int, int], dict[int, float]]:
    """What the last tokens give each Phrase, meaned over sentences: by layer and head, by id."""
    sums: dict[int, Float[Tensor, "H N"]] = {}
    fields = {layer: field.layer(layer) for layer in layers}

    def take(layer: int, given: Activations) -> None:
        own = fields[layer]
        last = weights(given, torch.tensor([given.tokens - 1]))[:, 0]
        phrase = key_paths(own, given.k)[..., PHRASE].repeat_interleave(given.group, 0)
        into = sums.setdefault(layer, torch.zeros(last.shape[0], own.level.shape[1]))
        into.scatter_add_(1, phrase, last)

    for case in cases:
        capture(loaded, case.tokens, sorted(layers), take)
    found = {}
    for layer, per_head in sums.items():
        own = fields[layer]
        share = per_head.shape[0] // own.groups
        for head, row in enumerate(per_head):
            ids = own.splat_id[head // share]
            phrases = (own.level[head // share] == PHRASE).nonzero().squeeze(1).tolist()
            found[layer, head] = {int(ids[at]): float(row[at]) / len(cases) for at in phrases}
    return found


def _equal_mass(
    chosen: Splats, known: Splats, mass: dict[tuple[int, int], dict[int, float]],
    random: torch.Generator,
) -> Splats:  # fmt: skip
    """For each head other splats, drawn until together they hold what the chosen ones do."""
    drawn: Splats = {}
    for head, own in chosen.items():
        wanted = sum(mass[head][splat] for splat in own)
        others = [splat for splat in sorted(mass[head]) if splat not in known[head]]
        held, taken = 0.0, set()
        for at in torch.randperm(len(others), generator=random).tolist():
            more = mass[head][others[at]]
            # The last one is taken where that comes nearer, and those too heavy are passed over.
            if abs(held + more - wanted) < abs(held - wanted):
                taken.add(others[at])
                held += more
        drawn[head] = taken
    return drawn
