"""The film of one head's adaptation, played in the browser; on a page or as a file of its own."""

from .blob import encode
from .player import PlayerState, adaptation_player
from .standalone import standalone_html

__all__ = ["PlayerState", "adaptation_player", "encode", "standalone_html"]
