"""Key/value caches of transformers that also carry what HSA remembers of each sequence.

A state is whatever the running program puts there: one a sequence, never changed in place, so
that reordering beams only reorders references. All that transformers does to the batch or the
length of a cache is done to the states alike.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache, PretrainedConfig, StaticCache
from transformers.cache_utils import Cache, DynamicLayer, StaticLayer


class _States:
    """States beside a layer's keys and values; None before the first tokens.

    A state has `tokens`, the number read, and `crop(tokens)`, the state after fewer.
    """

    states: list[Any] | None = None

    def _cropped(self, removed: int) -> None:
        if self.states is not None:
            self.states = [s.crop(max(s.tokens - removed, 0)) for s in self.states]

    def _selected(self, indices: list[int]) -> None:
        if self.states is not None:
            self.states = [self.states[index] for index in indices]

    def _repeated(self, repeats: int) -> None:
        if self.states is not None:
            self.states = [state for state in self.states for _ in range(repeats)]


class SplatDynamicLayer(_States, DynamicLayer):
    """A growing cache layer with states."""

    def reset(self) -> None:
        """Forget keys, values and states."""
        super().reset()
        self.states = None

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Keep these sequences, in this order (beam search)."""
        super().reorder_cache(beam_idx)
        self._selected(beam_idx.tolist())

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens (assisted decoding)."""
        before = self.get_seq_length()
        super().crop(tokens_to_remove)
        self._cropped(before - self.get_seq_length())

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every sequence (several return sequences)."""
        super().batch_repeat_interleave(repeats)
        self._repeated(repeats)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep some sequences (contrastive search)."""
        super().batch_select_indices(indices)
        chosen = indices.nonzero().flatten() if indices.dtype == torch.bool else indices
        self._selected(chosen.tolist())


class SplatStaticLayer(_States, StaticLayer):
    """A cache layer of fixed size with states."""

    is_compileable = False  # States are Python objects: a compiled graph would not see them.

    def reset(self) -> None:
        """Forget keys, values and states."""
        super().reset()
        self.states = None

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Keep these sequences, in this order (beam search)."""
        super().reorder_cache(beam_idx)
        self._selected(beam_idx.tolist())


SplatLayer = SplatDynamicLayer | SplatStaticLayer


def splat_cache(config: PretrainedConfig, longest: int | None = None) -> Cache:
    """A cache for one generation: growing, or of `longest` tokens if given.

    Layers with a sliding window keep transformers' own cache: they read their whole window.
    """
    if longest is None:
        cache: Cache = DynamicCache(config=config)
        own, kept = DynamicLayer, SplatDynamicLayer
    else:
        cache = StaticCache(config=config, max_cache_len=longest)
        own, kept = StaticLayer, SplatStaticLayer
    cache.layers = [
        kept(*(() if longest is None else (longest,))) if type(layer) is own else layer
        for layer in cache.layers
    ]
    return cache


def states_of(cache: Cache | None, layer: int) -> SplatLayer | None:
    """The place for a layer's states; None if this cache has none."""
    if cache is None or layer >= len(cache.layers):
        return None
    found = cache.layers[layer]
    return found if isinstance(found, SplatLayer) else None
