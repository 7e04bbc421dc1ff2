"""How the rate of drift rises and falls over events."""

from __future__ import annotations

import math

from hsa.adaptation.settings import AdaptationSettings


def drift_rate(settings: AdaptationSettings, event: int) -> float:
    """The rate of the given event, counted from 0.

    It rises linearly over `warm_up` events; then it stays, falls as half a cosine to a tenth over
    `horizon` events, or falls with the root of the events since.
    """
    warm = max(settings.warm_up, 1)
    if event + 1 < warm:
        return settings.drift_rate * (event + 1) / warm
    since = event + 1 - warm
    if settings.schedule == "cosine":
        done = min(since / settings.horizon, 1.0)
        return settings.drift_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))
    if settings.schedule == "inverse_root":
        return settings.drift_rate * math.sqrt(warm / (warm + since))
    return settings.drift_rate


def cap(settings: AdaptationSettings, splats: int, event: int) -> int:
    """The most splats of a level at an event: it falls evenly to `pruned_to` over the horizon."""
    done = min((event + 1) / settings.horizon, 1.0)
    return max(2, round(splats * (1 - (1 - settings.pruned_to) * done)))
