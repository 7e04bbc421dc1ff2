"""The case before the visitor: model, text, field and reads, ready to work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from hsa.errors import FieldError
from pages.ui import choices, engine, one_head, own_field, refusals
from pages.ui.frame import Frame
from pages.ui.plain import plain
from pages.ui.waiting import Progress, waiting

if TYPE_CHECKING:
    from hsa.activations import Activations
    from hsa.attention.result import HSAResult
    from hsa.attention.spending import Spending
    from hsa.evaluation.head_grid import HeadGrid
    from hsa.models.loaded import LoadedModel
    from hsa.tokens import Tokens


@dataclass(frozen=True)
class Case:
    """What the visitor has chosen, made ready; `key` names its content.

    Attributes:
        reads: per query, on average over all heads.
        way: how they are spent, 'per_head', 'per_query' or 'uniform'.
    """

    loaded: LoadedModel
    tokens: Tokens
    ready: engine.ReadyField
    reads: int
    way: str
    spending: tuple[Spending, ...]

    @property
    def key(self) -> tuple:
        """Names all that results of this case depend on, besides the field."""
        return (self.loaded.fingerprint, self.tokens.ids, self.reads, self.way)

    def activations(self, layer: int, progress: Progress) -> Activations:
        """Queries, keys and values of one layer."""
        return engine.activations(self.loaded, self.tokens, layer, progress)

    def head_result(self, layer: int, head: int, progress: Progress) -> HSAResult:
        """HSA of one head for every query."""
        given = self.activations(layer, progress)
        return one_head.head_result(given, self.ready, self.spending, layer, head, self.key)

    def head_grid(self, progress: Progress) -> HeadGrid:
        """Every head of every layer in numbers."""
        return engine.head_grid(
            self.loaded, self.tokens, self.ready, self.spending, self.key, progress
        )

    def kept_grid(self) -> HeadGrid | None:
        """The grid if it was made before."""
        return engine.kept_grid(self.ready, self.key)


def case(page: Frame, empty: str) -> Case:
    """The case that the visitor chose; the page ends here when there is none.

    Args:
        empty: what to click, said when there is no prompt yet.
    """
    text = choices.prompt_text()
    if not text:
        st.info(empty)
        st.stop()
    with refusals.refusals(), waiting() as progress:
        loaded = engine.model(choices.MODEL.value, progress)
        tokens = engine.tokens(loaded, text)
    for note in tokens.notes:
        st.info(plain(note))
    ready = field(loaded)
    with refusals.refusals():
        return _spent(page, loaded, tokens, ready)


def _spent(page: Frame, loaded: LoadedModel, tokens: Tokens, ready: engine.ReadyField) -> Case:
    from hsa.attention.spending import sensible_reads

    auto = sensible_reads(len(tokens))
    page.reads_note.caption(
        f"Auto: {auto} for these {len(tokens):,} tokens."
        if choices.READS.value is None
        else f"Empty it for {auto}, which suits these {len(tokens):,} tokens."
    )
    if len(tokens) > ready.field.positions:
        st.warning(
            f"The field was fitted on positions up to {ready.field.positions:,}; this text has "
            f"{len(tokens):,} tokens. Keys turn with their position, so HSA will err more beyond."
        )
    return made_ready(loaded, tokens, ready, choices.READS.value, choices.WAY.value)


def made_ready(
    loaded: LoadedModel, tokens: Tokens, ready: engine.ReadyField, reads: int | None, way: str
) -> Case:
    """The case with these choices, whether or not they are those of the side bar.

    Args:
        reads: None for a number that suits the length of the text.
        way: 'field' for the way that the field was calibrated.
    """
    from hsa.attention.spending import sensible_reads

    count = reads or sensible_reads(len(tokens))
    spent_by = ready.field.spending if way == "field" else way
    spent = engine.spending(ready, count, len(tokens), spent_by)
    return Case(loaded, tokens, ready, count, spent_by, spent)


def field(loaded: LoadedModel) -> engine.ReadyField:
    """The model's field, or the offer to fit a small one."""
    try:
        with waiting() as progress:
            ready = engine.field(loaded, progress)
    except FieldError as refusal:
        if engine.ships_a_field(loaded):
            refusals.show(refusal)
        else:
            st.info(f"No field ships with {plain(loaded.title)}, so HSA cannot read it yet.")
        st.markdown(
            "A small field can be fitted now on the sample texts, in about a minute for a small "
            "model. It stays in this server's memory, serves every visitor of this model, and is "
            "coarser than a field fitted on much text (`python -m hsa fit` makes one)."
        )
        if not st.button("Fit a small field now", type="primary", key="fit-small-field"):
            st.stop()
        with refusals.refusals(), waiting() as progress:
            engine.fit_small_field(loaded, progress)
        st.rerun()
    if ready.origin == "fitted here":
        st.caption(
            "This model's field was fitted here, on the sample texts only: HSA errs more than "
            "with a field fitted on much text."
        )
    if ready.origin in ("adapted here", "from a file"):
        own_field.notice(loaded)
    return ready
