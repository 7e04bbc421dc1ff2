"""One head of the case before the visitor: both attentions, ready to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, cost, engine, one_head
from pages.ui.case import Case
from pages.ui.waiting import Progress

if TYPE_CHECKING:
    from hsa.activations import Activations
    from hsa.attention.block_plan import BlockPlan
    from hsa.attention.result import HSAResult
    from hsa.attention.views import FramedLayer
    from hsa.evaluation.agreement import HeadComparison
    from hsa.evaluation.blocked_difference import BlockedDifference

MOST_SHOWN = 2048  # tokens; of longer texts a stretch of so many is shown


@dataclass(frozen=True)
class HeadView:
    """A head and the stretch of the text that its maps show.

    Attributes:
        first: position of the first query and key in the maps.
        result, framed: hold this head alone, so that it is number 0 in them.
        key: names the content, for results kept from it.
        opening: as asked for.
        blocks, difference: of blocked HSA, where it is shown: not where every key is read.
    """

    asked: Case
    layer: int
    head: int
    first: int
    result: HSAResult
    framed: FramedLayer
    compared: HeadComparison
    key: tuple
    opening: choices.Opening = "query"
    blocks: BlockPlan | None = None
    difference: BlockedDifference | None = None

    @property
    def strings(self) -> tuple[str, ...]:
        """All tokens of the text."""
        return self.asked.tokens.strings

    @property
    def shown(self) -> range:
        """Positions in the maps."""
        return range(self.first, self.first + len(self.compared.queries))

    @property
    def partial(self) -> bool:
        """Whether the maps show a stretch of the text only."""
        return len(self.shown) < len(self.strings)

    @property
    def title(self) -> str:
        """The head by name."""
        blocked = "" if self.difference is None else ", blocked"
        return f"{self.asked.loaded.title}: layer {self.layer}, head {self.head}{blocked}"

    def visible(self, query: int, key: int) -> bool:
        """Whether the query may look at the key."""
        return key <= query or not self.compared.causal


def pick_window(asked: Case) -> int:
    """The first position shown; asked for where the text is too long to show in whole."""
    last = len(asked.tokens) - MOST_SHOWN
    if last <= 0:
        if choices.FROM.value is not None:
            choices.FROM.choose(None)
        return 0
    first = min(last if choices.FROM.value is None else choices.FROM.value, last)
    cell = choices.CELL.value
    if cell is not None and not first <= cell[0] < first + MOST_SHOWN:
        first = min(max(cell[0] - MOST_SHOWN // 2, 0), last)
    if choices.FROM.value not in (None, first):
        choices.FROM.choose(first)

    def heard() -> None:
        choices.FROM.choose(st.session_state["ask-from"])
        choices.CELL.choose(None)

    if st.session_state.get("ask-from") != first:
        st.session_state["ask-from"] = first
    st.number_input(
        "First position shown", 0, last, step=256, key="ask-from", on_change=heard, width=220
    )
    st.caption(
        f"The text has {len(asked.tokens):,} tokens; the maps show {MOST_SHOWN:,} of them, queries "
        f"and keys {first:,} to {first + MOST_SHOWN - 1:,}. Agreement is over these queries and "
        "all of their keys, and an explanation speaks of the whole row."
    )
    return first


def head_view(asked: Case, layer: int, head: int, first: int, progress: Progress) -> HeadView:
    """Compute this head, or find it kept; no other head is touched.

    Raises:
        InputError: a layer that cannot be read through the field.
    """
    from hsa.attention.views import into_layer
    from hsa.evaluation.agreement import compare_head

    opening = choices.OPENING.value
    given = asked.activations(layer, progress)
    if opening == "block":
        view = _blocked_view(asked, layer, head, first, given, progress)
        if view is not None:
            return view
    key = ("compare", asked.ready.identity, layer, head, first, *asked.key)
    group, member = divmod(head, given.group)
    field = asked.ready.field.layer(layer).group(group, slice(member, member + 1))
    progress(f"HSA of layer {layer}, head {head}", None)
    if len(asked.tokens) <= MOST_SHOWN:
        result = asked.head_result(layer, head, progress)
    else:
        result = engine.kept(
            (*key, "result"),
            "HSA of one head",
            lambda: _stretch(asked, layer, head, first, given),
        )
    framed = into_layer(given.head(head), field)
    progress("Both attentions side by side", None)
    compared = engine.kept(
        (*key, "compared"), "Both attentions, one head", lambda: compare_head(result, framed)
    )
    cost.current().read(compared.everything_read, compared.keys_seen, len(asked.tokens))
    return HeadView(asked, layer, head, first, result, framed, compared, key, opening)


def _blocked_view(
    asked: Case, layer: int, head: int, first: int, given: Activations, progress: Progress
) -> HeadView | None:
    """The head as blocked HSA runs it; None where its reads reach every key."""
    from hsa.evaluation.blocked_difference import blocked_difference

    blocks = one_head.shared_blocks(
        asked.ready, len(asked.tokens), asked.reads, asked.loaded.causal
    )
    if blocks is None:
        return None
    progress(f"Blocked HSA of layer {layer}, head {head}", None)
    key = ("blocked", asked.ready.identity, layer, head, first, blocks, *asked.key)
    shown = None if len(asked.tokens) <= MOST_SHOWN else range(first, first + MOST_SHOWN)
    found = one_head.blocked_head(given, asked.ready, blocks, layer, head, shown, key)
    progress("Blocked HSA beside the reference", None)
    difference = engine.kept(
        (*key, "difference"), "Blocked beside the reference", lambda: blocked_difference(found)
    )
    compared = difference.blocked
    cost.current().read(compared.everything_read, compared.keys_seen, len(asked.tokens))
    return HeadView(
        asked, layer, head, first, found.blocked, found.framed, compared, key, "block", blocks,
        difference,
    )  # fmt: skip


def _stretch(asked: Case, layer: int, head: int, first: int, given: Activations) -> HSAResult:
    """HSA of the queries shown, with all their keys."""
    import torch

    from hsa.attention.reference import attend

    group, member = divmod(head, given.group)
    return attend(
        given.head(head),
        asked.ready.field.layer(layer).group(group, slice(member, member + 1)),
        asked.spending[layer].heads(slice(head, head + 1)),
        torch.arange(first, first + MOST_SHOWN),
    )
