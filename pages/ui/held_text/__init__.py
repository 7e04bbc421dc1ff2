"""A splat's tokens in the sentences that they stand in."""

from .figure import held_text

__all__ = ["held_text"]
