"""UMAP in the background: made once for all visitors, and still where the field is still."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pages.ui import atlas_layouts, engine
from pages.ui.atlas_attributes import AtlasHead
from pages.ui.engine import ReadyField
from tests.pages.test_atlas import fingerprint


@pytest.fixture(scope="module")
def shipped() -> ReadyField:
    return engine.shipped("minilm", fingerprint())


def heads_of(ready: ReadyField, *groups: int) -> list[AtlasHead]:
    from hsa.models.loading import load

    loaded = load("minilm")
    return [AtlasHead(None, loaded, ready, 3, group, None) for group in groups]


def test_principal_components_first_and_umap_once_it_is_made(shipped: ReadyField) -> None:
    heads = heads_of(shipped, 0, 1)
    at_once, missing = atlas_layouts.layouts(heads)
    assert [layout.method for layout in at_once] == ["PCA", "PCA"] and len(missing) == 2
    job = atlas_layouts._work(missing)
    assert atlas_layouts._work(missing) is job, "another visitor waits for the same work"
    assert job.wait(60) and job.error is None
    made, missing = atlas_layouts.layouts(heads)
    assert [layout.method for layout in made] == ["UMAP", "UMAP"] and not missing
    again, _ = atlas_layouts.layouts(heads)
    assert again[0] is made[0]
    # One of the two is known; all are shown by one method until the other is too.
    mixed, missing = atlas_layouts.layouts([*heads_of(shipped, 0), *heads_of(shipped, 2)])
    assert [layout.method for layout in mixed] == ["PCA", "PCA"] and len(missing) == 1


def test_the_map_of_an_adapted_field_begins_where_the_shipped_one_lies(
    shipped: ReadyField,
) -> None:
    head = shipped.field.heads[3][4]
    dice = torch.Generator().manual_seed(0)
    step = 0.02 * head.position.std() * torch.randn(head.position.shape, generator=dice)
    moved = replace(head, position=head.position + step)
    layers = [list(layer) for layer in shipped.field.heads]
    layers[3][4] = moved
    own = engine.named(
        replace(shipped.field, heads=tuple(tuple(layer) for layer in layers)), "adapted here"
    )
    _, missing = atlas_layouts.layouts(heads_of(own, 4))
    job = atlas_layouts._work(missing)
    assert job.wait(60) and job.error is None
    (after,), _ = atlas_layouts.layouts(heads_of(own, 4))
    (before,), missing = atlas_layouts.layouts(heads_of(shipped, 4))
    assert not missing, "it was made on the way"
    assert before.method == after.method == "UMAP"
    assert float((after.place - before.place).norm(dim=1).mean()) < 0.1
    # A head that was not adapted is the shipped one's.
    assert atlas_layouts._wanted(heads_of(own, 5)[0], layers[3][5]).before is None


def test_work_that_nobody_looks_at_keeps_nothing(shipped: ReadyField) -> None:
    _, missing = atlas_layouts.layouts(heads_of(shipped, 7))
    job = atlas_layouts._work(missing)
    job.abandon()
    assert job.wait(60)
    again = atlas_layouts._work(missing)
    assert again is not job and again.wait(60)
    (made,), _ = atlas_layouts.layouts(heads_of(shipped, 7))
    assert made.method == "UMAP"


def test_two_visitors_with_other_heads_wait_for_one_another_and_get_their_own(
    shipped: ReadyField,
) -> None:
    first, second = heads_of(shipped, 8), heads_of(shipped, 9, 8)
    wanted = [atlas_layouts.layouts(heads)[1] for heads in (first, second)]
    jobs = [atlas_layouts._work(missing) for missing in wanted]
    assert jobs[0] is not jobs[1] and atlas_layouts._work(wanted[1]) is jobs[1]
    assert all(job.wait(60) and job.error is None for job in jobs)
    (alone,), none = atlas_layouts.layouts(first)
    (other, shared), missing = atlas_layouts.layouts(second)
    assert not none and not missing
    assert shared is alone, "what the first visitor had made is not made again"
    assert alone.method == other.method == "UMAP"
    assert not torch.allclose(alone.place, other.place)
