"""Linked heatmaps on canvas: standard attention, HSA and their signed difference."""

from .blob import encode
from .figure import Cell, linked_heatmaps
from .panel import Panel
from .quantisation import SCALE_NAMES, ScaleName

__all__ = ["SCALE_NAMES", "Cell", "Panel", "ScaleName", "encode", "linked_heatmaps"]
