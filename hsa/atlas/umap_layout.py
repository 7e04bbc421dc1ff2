"""The UMAP layout of a head's splats: afresh, or carried on from a layout that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from hsa.atlas.alignment import similarity
from hsa.atlas.descent import descend
from hsa.atlas.fuzzy_graph import fuzzy_graph
from hsa.atlas.layout import Layout, pca_layout
from hsa.atlas.projection import standard_size
from hsa.atlas.warm_start import shared_rows, starting_places
from hsa.field.splat_field import SplatField

LEAST_SPLATS = 5
"""Of fewer a plane shows all that neighbourhoods could."""
MOST_SPLATS = 2500
"""Every pair counts in every step: of more it would take minutes, and a gigabyte."""

START_SIZE = 5.0
"""Root-mean-square distance that a descent begins from, near what it ends at."""
STEPS, RATE = 120, 0.5
CARRIED_STEPS, CARRIED_RATE = 30, 0.05


def why_not(splats: int) -> str:
    """Why so many splats have no UMAP layout; empty if they have one."""
    if splats < LEAST_SPLATS:
        return (
            f"UMAP needs {LEAST_SPLATS} splats to have neighbourhoods to keep; of {splats} the "
            "principal components show all."
        )
    if splats > MOST_SPLATS:
        return (
            f"UMAP is made for heads of up to {MOST_SPLATS:,} splats, and this one has "
            f"{splats:,}; the principal components are shown."
        )
    return ""


def umap_layout(field: SplatField, stopped: Callable[[], bool] = lambda: False) -> Layout:
    """Neighbourhoods kept as well as a plane can; laid over the principal components.

    Too few or too many splats keep the principal components, and the note says so.

    Args:
        stopped: asked before every step of the descent; see `descend`.
    """
    start = pca_layout(field, why_not(field.splats))
    if start.note:
        return start
    graph = fuzzy_graph(field.position.float().cpu())
    place = descend(graph, START_SIZE * start.place, STEPS, RATE, stopped)
    place = standard_size(place)
    turned = replace(similarity(place, start.place), scale=1.0, shift=torch.zeros(2))
    return Layout(start.splat_id, turned(place), "UMAP")


def carried_layout(
    previous: Layout, field: SplatField, stopped: Callable[[], bool] = lambda: False
) -> Layout:
    """A layout of a field that has changed, in which what did not change hardly moves.

    Old splats begin where they were and newborns at their neighbours' mean; a few small steps
    follow, and a similarity lays old splats over their old places.
    """
    note = why_not(field.splats)
    if note:
        return pca_layout(field, note)
    position, splat_id = field.position.float().cpu(), field.splat_id.cpu()
    start = starting_places(previous, splat_id, position)
    graph = fuzzy_graph(position)
    place = descend(graph, START_SIZE * start, CARRIED_STEPS, CARRIED_RATE, stopped)
    row, known = shared_rows(previous.splat_id, splat_id)
    place = similarity(place[known], previous.place[row[known]])(place)
    return Layout(splat_id, place, "UMAP")
