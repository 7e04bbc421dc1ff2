"""How closely two attention rows agree, and one head's HSA beside its standard attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.effective import CutRows, cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.memory.needed import check_fits, dense_bytes

TOP = 10
"""k of the top-k overlap."""

LEAST = 1e-38
"""Weights below this stand as this in a logarithm: about what float32 can hold."""

ROUNDING = 1e-5
"""Differences up to this share of the largest weight are those of float32: log Z is held in it."""

Measure = Literal["weight", "contribution"]


@dataclass(frozen=True)
class RowAgreement:
    """How one method's rows agree with standard attention's, a number per query.

    Attributes:
        total_variation: ½ Σ_j |Â_ij - A_ij| of the weights as they are used, so with the tilt
            and its negative weights; 0 when equal. Rows that sum to one but go below zero may
            exceed 1 by their negative mass.
        kl_nats: Σ_j Ã_ij ln(Ã_ij / A_ij), KL(method ‖ standard) in nats. A logarithm needs
            weights that are not negative, so HSA stands here with its *untilted* weights Ã,
            in which the keys of a closed splat share its mass alike; they too sum to one.
            This direction stays finite where a method drops keys. What rounding leaves below
            zero is zero.
        top_overlap: share of standard attention's k heaviest keys that are among the method's
            k heaviest. k is 10, or the number of keys seen where that is less. Weights of zero
            and below are among no k heaviest, so a dropped key is never a hit; ties go to the
            earlier key.
    """

    total_variation: Float[Tensor, " Q"]
    kl_nats: Float[Tensor, " Q"]
    top_overlap: Float[Tensor, " Q"]


def row_agreement(
    given: Float[Tensor, "Q T"],
    standard: Float[Tensor, "Q T"],
    visible: Bool[Tensor, "Q T"],
    untilted: Float[Tensor, "Q T"] | None = None,
    k: int = TOP,
) -> RowAgreement:
    """Compare rows of weights over the same keys.

    Args:
        untilted: the method's weights without tilt, for the divergence; `given` if left out,
            which must then not be negative.
    """
    plain = given if untilted is None else untilted
    ratio = plain.clamp_min(LEAST).log() - standard.clamp_min(LEAST).log()
    counted = visible.sum(1).clamp_max(k)
    hits = (heaviest(given, visible, k) & heaviest(standard, visible, k)).sum(1)
    return RowAgreement(
        total_variation=0.5 * (given - standard).abs().sum(1),
        kl_nats=(plain * ratio).sum(1).clamp_min(0.0),
        top_overlap=hits / counted.clamp_min(1),
    )


def heaviest(
    weights: Float[Tensor, "Q T"], visible: Bool[Tensor, "Q T"], k: int
) -> Bool[Tensor, "Q T"]:
    """The k largest weights above zero of every row, ties to the earlier key."""
    ranked = weights.masked_fill(~visible | (weights <= 0), -torch.inf)
    least = ranked.topk(min(k, ranked.shape[1]), dim=1).values[:, -1:]
    above = ranked > least
    tied = (ranked == least) & (ranked > -torch.inf)
    return above | (tied & (tied.cumsum(1) <= k - above.sum(1, keepdim=True)))


@dataclass(frozen=True)
class HeadComparison:
    """One head over Q queries: standard attention, HSA, and HSA's tokens without its splats.

    `opened_only` is softmax over the near and opened tokens that HSA read, every closed splat
    dropped: the same cut with the splats switched off. Errors are ‖Ô - O‖_F / ‖O‖_F over these
    queries.

    Attributes:
        standard, hsa: dense weights, zero where a query may not look; HSA's with its tilt.
        value_norm: ‖v_j‖ of every key.
        reads: splats evaluated and far tokens read, per query.
        near_keys: read as near; `visible_keys` are all that the query may see.
        whole: queries that read all their far keys and evaluated no splat.
        closed: queries that were answered by at least one closed splat.
        raised: queries whose reads were raised to the number of roots.
        negative_mass: mass of HSA's negative weights, per query.
    """

    layer: int
    head: int
    causal: bool
    queries: Int[Tensor, " Q"]
    standard: Float[Tensor, "Q T"]
    hsa: Float[Tensor, "Q T"]
    standard_output: Float[Tensor, "Q V"]
    hsa_output: Float[Tensor, "Q V"]
    value_norm: Float[Tensor, " T"]
    agreement: RowAgreement
    opened_only: RowAgreement
    error: float
    opened_only_error: float
    reads: Int[Tensor, " Q"]
    near_keys: Int[Tensor, " Q"]
    visible_keys: Int[Tensor, " Q"]
    whole: Bool[Tensor, " Q"]
    closed: Bool[Tensor, " Q"]
    raised: Bool[Tensor, " Q"]
    negative_mass: Float[Tensor, " Q"]

    @property
    def everything_read(self) -> float:
        """Splats, far and near tokens per query, mean over the queries."""
        return float((self.reads + self.near_keys).float().mean())

    @property
    def keys_seen(self) -> float:
        """Keys that standard attention reads per query, mean over the queries."""
        return float(self.visible_keys.float().mean())

    def maps(self, measure: Measure, keys: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor]:
        """Standard, HSA and HSA - standard over some of the keys.

        By contribution these are ‖A_ij v_j‖ and the difference of the two norms.
        """
        standard, hsa = self.standard[:, keys], self.hsa[:, keys]
        if measure == "contribution":
            norm = self.value_norm[keys]
            standard, hsa = standard * norm, hsa.abs() * norm
        return standard, hsa, hsa - standard

    def equal(self) -> bool:
        """Whether both attentions are the same but for rounding."""
        apart = (self.hsa - self.standard).abs().max()
        return bool(apart <= ROUNDING * self.standard.max())

    def worst_row(self) -> int:
        """Place of the query with the largest total variation."""
        return int(self.agreement.total_variation.argmax())

    def largest_difference(self, place: int) -> int:
        """The key at which this row's weights differ most."""
        return int((self.hsa[place] - self.standard[place]).abs().argmax())


def compare_head(
    result: HSAResult,
    layer: FramedLayer,
    head: int = 0,
    queries: Int[Tensor, " Q"] | Sequence[int] | None = None,
) -> HeadComparison:
    """Both attentions of one head, block by block in float64.

    Args:
        layer: what `result` was computed from.
        head: counted within the result.

    Raises:
        InputError: more rows than memory holds.
    """
    rows_asked = result.queries.numel() if queries is None else len(queries)
    tokens = layer.k.shape[1]
    needed = dense_bytes(rows_asked, tokens)
    check_fits(needed, f"Two maps of {rows_asked:,} × {tokens:,} weights", "a shorter text")
    blocks = [_compared(cut) for cut in cut_rows(result, layer, head, queries)]
    order = torch.cat([block["place"] for block in blocks]).argsort()

    def rows(name: str) -> Tensor:
        return torch.cat([block[name] for block in blocks])[order]

    def agreement(method: str) -> RowAgreement:
        return RowAgreement(
            rows(f"{method} total_variation"), rows(f"{method} kl_nats"), rows(f"{method} top")
        )

    standard_output, hsa_output = rows("standard_output"), rows("hsa_output")
    norm = standard_output.norm().clamp_min(1e-30)
    return HeadComparison(
        layer=result.layer,
        head=head,
        causal=result.causal,
        queries=rows("queries"),
        standard=rows("standard"),
        hsa=rows("hsa"),
        standard_output=standard_output.float(),
        hsa_output=hsa_output.float(),
        value_norm=layer.v[head // layer.y.shape[1]].norm(dim=1).cpu(),
        agreement=agreement("hsa"),
        opened_only=agreement("opened"),
        error=float((hsa_output - standard_output).norm() / norm),
        opened_only_error=float((rows("opened_output") - standard_output).norm() / norm),
        **{
            name: rows(name)
            for name in (
                "reads", "near_keys", "visible_keys", "whole", "closed", "raised", "negative_mass"
            )
        },
    )  # fmt: skip


def _compared(cut: CutRows) -> dict[str, Tensor]:
    """Rows of one block, dense ones in float32."""
    standard = cut.logits.masked_fill(~cut.visible, -torch.inf).softmax(1)
    opened = cut.logits.masked_fill(~cut.read, -torch.inf).softmax(1)
    untilted = (cut.log_token_mass() - cut.log_z.unsqueeze(1)).exp()
    hsa = untilted * cut.tilt_factor()
    of_hsa = row_agreement(hsa, standard, cut.visible, untilted)
    of_opened = row_agreement(opened, standard, cut.visible)
    found = {
        "place": cut.place,
        "queries": cut.queries,
        "standard": standard.float(),
        "hsa": hsa.float(),
        "standard_output": standard @ cut.v,
        "hsa_output": cut.output,
        "opened_output": opened @ cut.v,
        "reads": cut.reads,
        "near_keys": cut.near.sum(1),
        "visible_keys": cut.visible.sum(1),
        "whole": cut.whole,
        "closed": cut.closed.any(1),
        "raised": cut.raised,
        "negative_mass": -hsa.clamp_max(0).sum(1),
    }
    for method, rows in (("hsa", of_hsa), ("opened", of_opened)):
        found[f"{method} total_variation"] = rows.total_variation.float()
        found[f"{method} kl_nats"] = rows.kl_nats.float()
        found[f"{method} top"] = rows.top_overlap.float()
    return found
