"""Evidence of every splat as a log keeps it: two numbers, a byte each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hsa.adaptation.evidence import Evidence

LEAST = 1e-6
"""What is smaller counts as nothing."""

CODES = 63
"""Codes 1 to 63 go from LEAST to 1 in steps of a quarter; more would not be seen in a curve."""


@dataclass(frozen=True)
class LoggedEvidence:
    """What the texts so far said of N splats, in the rows of the field after the step.

    Attributes:
        mass: exact attention on the splat's far keys, per query.
        error: ‖what its closed answer moved the output by‖² in units of the head's mean ‖o‖².
    """

    mass: UInt8[Tensor, " N"]
    error: UInt8[Tensor, " N"]


def logged(evidence: Evidence) -> LoggedEvidence:
    """To the nearest code."""
    return LoggedEvidence(_codes(evidence.mass), _codes(evidence.answer_error()))


def _codes(values: Float[Tensor, " N"]) -> UInt8[Tensor, " N"]:
    scale = (CODES - 1) / -torch.tensor(LEAST).log()
    at = 1 + (values.clamp(LEAST, 1.0) / LEAST).log() * scale
    return at.round().masked_fill(values < LEAST, 0).to(torch.uint8)


def values(codes: UInt8[Tensor, " N"]) -> Float[Tensor, " N"]:
    """What codes stand for, to an eighth of itself; 0 for nothing."""
    share = (codes.float() - 1) / (CODES - 1)
    return (LEAST ** (1 - share)).masked_fill(codes == 0, 0.0)
