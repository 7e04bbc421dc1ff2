"""One head of the case with the splats that live in it, and the portrait of one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pages.ui import engine
from pages.ui.case import Case
from pages.ui.waiting import Progress

if TYPE_CHECKING:
    from hsa.attention.result import HSAResult
    from hsa.attention.views import FramedLayer
    from hsa.specialization.portrait import Portrait
    from hsa.specialization.roster import Roster


@dataclass(frozen=True)
class SplatView:
    """A portrait with what it was made from.

    Attributes:
        result, framed: hold this head alone, so that it is number 0 in them.
        key: names the content, for results kept from it.
    """

    asked: Case
    layer: int
    head: int
    result: HSAResult
    framed: FramedLayer
    shown: Portrait
    key: tuple

    @property
    def strings(self) -> tuple[str, ...]:
        """All tokens of the text."""
        return self.asked.tokens.strings


def known_splats(asked: Case, layer: int, head: int, progress: Progress) -> Roster:
    """Every splat of the head, with its keys and mass in this prompt."""
    from hsa.specialization.roster import roster

    result, framed = _head(asked, layer, head, progress)
    key = ("roster", asked.ready.identity, layer, head, *asked.key)
    return engine.kept(key, "Splats of one head", lambda: roster(result, framed, 0))


def splat_view(asked: Case, layer: int, head: int, splat_id: int, progress: Progress) -> SplatView:
    """Look at one splat, or find its portrait kept; no other head is touched.

    Raises:
        FieldError: no splat of this head has that id.
        InputError: a layer that cannot be read through the field.
    """
    from hsa.specialization.portrait import portrait

    result, framed = _head(asked, layer, head, progress)
    key = ("portrait", asked.ready.identity, layer, head, splat_id, *asked.key)
    shown = engine.kept(
        key,
        "Portrait of a splat",
        lambda: portrait(result, framed, asked.tokens.strings, 0, splat_id),
    )
    return SplatView(asked, layer, head, result, framed, shown, key)


def _head(asked: Case, layer: int, head: int, progress: Progress) -> tuple[HSAResult, FramedLayer]:
    """HSA of every query of one head, and the head in its field's frame."""
    from hsa.attention.views import into_layer

    given = asked.activations(layer, progress)
    progress(f"HSA of layer {layer}, head {head}", None)
    result = asked.head_result(layer, head, progress)
    group, member = divmod(head, given.group)
    field = asked.ready.field.layer(layer).group(group, slice(member, member + 1))
    return result, into_layer(given.head(head), field)


def lives(asked: Case, layer: int, head: int, splat_id: int) -> bool:
    """Whether a splat of this id stands in the head's field."""
    share = asked.loaded.query_heads // asked.loaded.key_value_heads
    return splat_id in asked.ready.field.heads[layer][head // share].splat_id.tolist()
