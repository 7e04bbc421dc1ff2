"""Layouts of heads: principal components at once, UMAP from the background.

A layout is kept by the content of the splats, so that it is made once for all visitors. The
layout of an adapted field begins where the field that it came from lies, so that on the map
nothing moves but what moved in the field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, engine
from pages.ui.background import Job, Slots
from pages.ui.stores import stores

if TYPE_CHECKING:
    from hsa.atlas.layout import Layout
    from hsa.field.splat_field import SplatField
    from pages.ui.atlas_attributes import AtlasHead

POLL_SECONDS = 0.7
_LOOKS = "atlas-looks"


@dataclass(frozen=True)
class Wanted:
    """A UMAP layout that is not kept yet."""

    key: tuple
    field: SplatField
    before: SplatField | None


@st.cache_resource(max_entries=1, show_spinner=False)
def _slots() -> Slots:
    """One at a time: a layout takes a whole core."""
    return Slots(1)


@st.cache_resource(max_entries=1, show_spinner=False)
def _jobs() -> dict[tuple, Job]:
    """Work of all visitors by what it makes; ended without an error, it is gone."""
    return {}


def layouts(heads: Sequence[AtlasHead]) -> tuple[list[Layout], list[Wanted]]:
    """A layout of every head, all by one method; and what UMAP has still to make."""
    fields = [head.ready.field.heads[head.layer][head.group] for head in heads]
    if choices.LAYOUT.value == "pca":
        return [_principal(field) for field in fields], []
    wanted = [_wanted(head, field) for head, field in zip(heads, fields, strict=True)]
    made = [_umap(want) for want in wanted]
    missing = [want for want, layout in zip(wanted, made, strict=True) if layout is None]
    if missing:
        return [_principal(field) for field in fields], missing
    return [layout for layout in made if layout is not None], []


def _principal(field: SplatField) -> Layout:
    from hsa.atlas.layout import pca_layout
    from hsa.memory.content import content_key

    key = ("pca", content_key(field.position, field.splat_id))
    return engine.kept(key, "Principal components", lambda: pca_layout(field))


def _umap(want: Wanted) -> Layout | None:
    """The layout if it is kept, or if there are too few or too many splats to wait for one."""
    from hsa.atlas.umap_layout import umap_layout, why_not

    if why_not(want.field.splats):
        return umap_layout(want.field)
    return stores()["results"].peek(want.key)


def _wanted(head: AtlasHead, field: SplatField) -> Wanted:
    from hsa.memory.content import content_key

    before = None
    if head.ready.origin == "adapted here" and engine.ships_a_field(head.loaded):
        shipped = engine.shipped(head.loaded.name, head.loaded.fingerprint)
        before = shipped.field.heads[head.layer][head.group]
    own = content_key(field.position, field.splat_id)
    origin = own if before is None else content_key(before.position, before.splat_id)
    if own == origin:
        before = None
    return Wanted(("umap", own, origin), field, before)


def await_umap(missing: Sequence[Wanted]) -> None:
    """Have the layouts made, look now and then, and show the page anew once they are there.

    The work begins when the visitor has stayed for a moment: who walks through the heads asks
    for none of them.
    """
    if not missing:
        return
    st.session_state[_LOOKS] = 0

    def look() -> None:
        looks = st.session_state[_LOOKS]
        st.session_state[_LOOKS] = looks + 1
        if looks:
            job = _work(missing)
            job.look()
            if job.error is not None:
                raise job.error
            if not job.live:
                st.rerun()
        st.caption(
            "Shown: the principal components. UMAP, which keeps neighbours together, is being "
            "laid out in the background and takes their place when it is ready."
        )

    st.fragment(look, run_every=POLL_SECONDS)()


def _work(missing: Sequence[Wanted]) -> Job:
    """The job that makes these layouts, begun if nobody has begun it."""
    jobs = _jobs()
    name = tuple(want.key for want in missing)
    for ended in [key for key, job in jobs.items() if not job.live and job.error is None]:
        if ended != name:
            jobs.pop(ended, None)
    job = jobs.get(name)
    if job is None or (job.abandoned() and not job.live):
        job = jobs[name] = Job(_maker(missing), _slots())
    return job


def _maker(missing: Sequence[Wanted]) -> Callable[[Job], None]:
    def make(job: Job) -> None:
        from hsa.atlas.umap_layout import carried_layout, umap_layout
        from hsa.memory.content import content_key

        kept = stores()["results"]

        def afresh(key: tuple, field: SplatField) -> Layout | None:
            known = kept.peek(key)
            if known is not None:
                return known
            layout = umap_layout(field, job.stopped)
            if job.stopped():
                return None
            kept.put(key, layout)
            return layout

        for want in missing:
            if want.before is None:
                afresh(want.key, want.field)
                continue
            origin = content_key(want.before.position, want.before.splat_id)
            start = afresh(("umap", origin, origin), want.before)
            if start is None:
                return
            layout = carried_layout(start, want.field, job.stopped)
            if job.stopped():
                return
            kept.put(want.key, layout)

    return make
