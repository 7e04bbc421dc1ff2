"""A text in its tokens, each coloured by how far the two attentions were apart there."""

from .figure import coloured_tokens

__all__ = ["coloured_tokens"]
