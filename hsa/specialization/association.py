"""How much more often a splat's keys have a function than like keys of its head, and how surely.

A splat carries O = Σ w·f over its keys, of labels f in [0, 1] and weights w. Keys are compared
within strata: E = Σ_z W_z·f̄_z is what keys of the same strata carry on average, and lift = O / E
is an indirectly standardised ratio. Under the hypothesis that labels are exchangeable within a
stratum, the first three moments of O over all permutations are known in closed form, and its upper
tail is that of the gamma distribution with these moments (Pearson's type III; Mielke and Berry,
"Permutation methods", 2007). For labels of 0 and 1 and unit weights that is the hypergeometric
count.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.specialization.tally import BLOCKS, Tally

T_QUANTILE = 2.365
"""Two-sided 95 % quantile of Student's t with BLOCKS - 1 = 7 degrees of freedom."""


@dataclass(frozen=True)
class Association:
    """Splats against functions in one half of the corpus, for A heads.

    Attributes:
        share: O / W, the part of the splat's weight that has the function.
        expected: E / W, the same of like keys.
        odds: log of the ratio of their odds, in nats; `low` and `high` bound it at 95 %, by what
            blocks of texts differ.
        p: that like keys carry as much by chance.
        support: keys that have the function.
    """

    share: Float[Tensor, "A N F"]
    expected: Float[Tensor, "A N F"]
    odds: Float[Tensor, "A N F"]
    low: Float[Tensor, "A N F"]
    high: Float[Tensor, "A N F"]
    p: Float[Tensor, "A N F"]
    support: Float[Tensor, "A N F"]


def association(tally: Tally, half: int) -> Association:
    """Measure one half of the corpus."""
    assert BLOCKS == 8, "T_QUANTILE belongs to eight blocks"
    carried = tally.carried[:, half].double()  # A B N F
    weight = tally.weight[:, half].double()  # A B N Z
    mean = (tally.base[:, half] / tally.total[:, half].clamp_min(1e-30).unsqueeze(-1)).double()
    expected = weight @ mean.unsqueeze(1)  # A B N F
    observed, even = carried.sum(1), expected.sum(1)
    whole = weight.sum((1, 3)).unsqueeze(-1)  # A N 1
    p = upper_tail(observed - even, *_moments(tally, half))
    p = torch.where(whole > 0, p, 1.0)
    # One key of the expected kind is added, so that few keys claim little and none infinity.
    one = (whole.squeeze(-1) / tally.keys[:, half].double().clamp_min(1)).unsqueeze(-1)
    everything = whole.clamp_min(1e-30)
    base = (even / everything).clamp(1e-9, 1 - 1e-9)
    share = (observed + one * base) / (everything + one)
    odds = torch.logit(share.clamp(1e-12, 1 - 1e-12)) - torch.logit(base)
    odds = torch.where(even > 0, odds, 0.0)
    # What blocks of texts differ by, through the derivatives of the two log odds.
    own = weight.sum(3, keepdim=True)  # A B N 1
    moved = (carried - share.unsqueeze(1) * own) / (share * (1 - share) * everything).unsqueeze(1)
    moved -= (expected - base.unsqueeze(1) * own) / (base * (1 - base) * everything).unsqueeze(1)
    error = (moved.square().sum(1) * BLOCKS / (BLOCKS - 1)).sqrt()
    return Association(
        share=(observed / everything).float(),
        expected=(even / everything).float(),
        odds=odds.float(),
        low=(odds - T_QUANTILE * error).float(),
        high=(odds + T_QUANTILE * error).float(),
        p=p,
        support=tally.support[:, half],
    )


def _moments(tally: Tally, half: int) -> tuple[Float[Tensor, "A N F"], Float[Tensor, "A N F"]]:
    """Second and third central moments of O when labels are permuted within strata."""
    n = tally.count[:, half].double()  # A Z
    w1 = tally.weight[:, half].double().sum(1)  # A N Z
    w2, w3 = tally.weight_square[:, half].double(), tally.weight_cube[:, half].double()
    f1, f2, f3 = tally.label[:, :, half].double()  # A Z F
    several = n.clamp_min(1)
    wide, tall = several.unsqueeze(1), several.unsqueeze(-1)
    spread_w = (w2 - w1 * w1 / wide).clamp_min(0)
    spread_f = (f2 - f1 * f1 / tall).clamp_min(0)
    skew_w = w3 - 3 * w1 * w2 / wide + 2 * w1**3 / wide**2
    skew_f = f3 - 3 * f1 * f2 / tall + 2 * f1**3 / tall**2
    second = torch.where(n > 1, 1 / (n - 1).clamp_min(1), 0.0)
    third = torch.where(n > 2, n / ((n - 1) * (n - 2)).clamp_min(1), 0.0)
    return (spread_w * second.unsqueeze(1)) @ spread_f, (skew_w * third.unsqueeze(1)) @ skew_f


def upper_tail(
    excess: Float[Tensor, "*S"],
    variance: Float[Tensor, "*S"],
    third: Float[Tensor, "*S"],
) -> Float[Tensor, "*S"]:
    """P(O - E ≥ excess) by the gamma distribution of these moments, or the normal one if straight.

    Where nothing could differ (no variance), nothing is told: 1.
    """
    deviation = variance.clamp_min(1e-300).sqrt()
    z = excess / deviation
    skewness = third / deviation**3
    normal = 0.5 * torch.erfc(z / 2**0.5)
    # A negative skewness has a shorter upper tail; the normal one is then the larger of the two.
    bent = skewness > 1e-3
    shape = 4 / skewness.where(bent, 1.0).square()
    at = shape + z * shape.sqrt()
    gamma = torch.special.gammaincc(shape, at.clamp_min(0))
    p = torch.where(bent, torch.where(at > 0, gamma, 1.0), normal)
    return torch.where(variance > 1e-18, p, 1.0)


def benjamini_hochberg(p: Float[Tensor, " K"], tested: Bool[Tensor, " K"]) -> Float[Tensor, " K"]:
    """Each test's q: the false discovery rate at which it would still be claimed; 1 if untested.

    Source: Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995).
    """
    q = torch.ones_like(p)
    places = tested.nonzero().squeeze(1)
    if len(places) == 0:
        return q
    order = places[p[places].argsort()]
    rank = torch.arange(1, len(order) + 1, dtype=p.dtype, device=p.device)
    raised = p[order] * len(order) / rank
    q[order] = raised.flip(0).cummin(0).values.flip(0).clamp_max(1)
    return q


def bits(share: Float[Tensor, "*S"], expected: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """What the function tells of a splat per unit of its weight: KL of the two shares, in bits."""
    share, expected = share.clamp(0, 1), expected.clamp(1e-12, 1 - 1e-12)
    with_it = torch.xlogy(share, share / expected)
    without = torch.xlogy(1 - share, (1 - share) / (1 - expected))
    return (with_it + without) / torch.log(torch.tensor(2.0))
