"""The atlas's map on canvas: splats as points, links to parents, a prompt's keys and queries."""

from .blob import encode
from .drawing import Colours, Drawing, Marks, Told
from .figure import atlas_map
from .standalone import standalone_html

__all__ = ["Colours", "Drawing", "Marks", "Told", "atlas_map", "encode", "standalone_html"]
