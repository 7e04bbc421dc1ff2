"""A head with levels switched off: the laws of the reference hold in every variant."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.activations import Activations
from hsa.attention.effective import effective_weights
from hsa.attention.reference import attend, block_cut
from hsa.attention.result import HSAResult
from hsa.attention.spending import Spending
from hsa.attention.views import FramedLayer, block_views, into_layer
from hsa.evaluation.agreement import compare_head
from hsa.evaluation.without_levels import VARIANTS, compare_levels, rerun
from hsa.field.layer_field import LayerField
from hsa.field.shipped import shipped_field
from hsa.field.skipped_levels import without_levels
from hsa.field.splat_field import DOCUMENT, PHRASE, SECTION
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from tests.attention.random_layers import random_layer
from tests.conftest import PROMPTS

TOKENS = 120


def one_head(
    reads: int, stop: float | None = None, causal: bool = True
) -> tuple[FramedLayer, HSAResult]:
    activations, field = random_layer(5, TOKENS, 1, 1, causal=causal, splats=(3, 8, 24))
    error = None if stop is None else torch.tensor([stop])
    return attended(activations, field, Spending(torch.tensor([reads]), error))


def attended(
    activations: Activations, field: LayerField, spending: Spending
) -> tuple[FramedLayer, HSAResult]:
    return into_layer(activations, field), attend(activations, field, spending)


def variant(layer: FramedLayer, usual: HSAResult, name: str) -> tuple[FramedLayer, HSAResult]:
    """A variant in the form of an engine result, so that the engine's own weights speak of it."""
    walk = zip(block_views(layer, usual.queries), usual.blocks, strict=True)
    found = [(cut, *rerun(view, cut, VARIANTS[name])) for view, cut in walk]
    without = found[0][1].layer
    cuts = [
        block_cut(view, opening, cut.exact.flatten(1, 2), given)
        for cut, view, opening, given in found
    ]
    output = torch.cat([given.output for *_, given in found], dim=1)
    return without, replace(usual, tree=without.tree, output=output, blocks=tuple(cuts))


def test_every_node_hangs_below_its_nearest_ancestor_that_is_left() -> None:
    tree = one_head(9)[0].tree
    level = tree.level[0]
    _, section, phrase = tree.key_node[0].T
    no_sections = without_levels(tree, (SECTION,))
    assert torch.equal(no_sections.parent[0, phrase], tree.key_node[0, :, DOCUMENT])
    assert (no_sections.row[0, section] == -1).all() and (no_sections.level[0] != SECTION).all()
    no_documents = without_levels(tree, (DOCUMENT,))
    assert (no_documents.parent[0, level == SECTION] == -1).all()
    assert torch.equal(no_documents.parent[0, phrase], section)
    alone = without_levels(tree, (DOCUMENT, SECTION))
    assert (alone.parent == -1).all() and set(alone.level[0].tolist()) == {-1, PHRASE}
    assert torch.equal(alone.key_node, tree.key_node), "routing is by Phrase"


@pytest.mark.parametrize(("reads", "stop"), [(9, None), (24, None), (30, 0.2), (2, None)])
@pytest.mark.parametrize("causal", [True, False])
def test_all_levels_are_the_usual_result_bit_for_bit(
    reads: int, stop: float | None, causal: bool
) -> None:
    layer, usual = one_head(reads, stop, causal)
    _, again = variant(layer, usual, "all levels")
    assert torch.equal(again.output[0], usual.output[0])
    for cut, same in zip(usual.blocks, again.blocks, strict=True):
        for name in ("closed", "opened", "log_mass", "log_z", "tilt", "reads", "exact"):
            assert torch.equal(getattr(cut, name), getattr(same, name)), name
    assert any(bool(cut.closed.any()) for cut in usual.blocks)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("causal", [True, False])
def test_rows_sum_to_one_and_give_the_output_without_a_splat_of_the_level(
    name: str, causal: bool
) -> None:
    layer, usual = one_head(14, causal=causal)
    without, result = variant(layer, usual, name)
    weights = effective_weights(result, without)[0].double()
    torch.testing.assert_close(weights.sum(1), torch.ones(TOKENS).double(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        (weights @ layer.v[0].double()).float(), result.output[0], rtol=1e-4, atol=1e-4
    )
    usual_reads = torch.cat([cut.reads[0, 0] for cut in usual.blocks])
    reads = torch.cat([cut.reads[0, 0] for cut in result.blocks])
    raised = torch.cat([cut.raised[0, 0] for cut in result.blocks])
    assert (reads <= usual_reads)[~raised].all()
    for cut in result.blocks:
        gone = torch.isin(layer.tree.level[0], torch.tensor(VARIANTS[name]))
        assert not (cut.closed | cut.opened)[..., gone].any()
    if name != "all levels":
        assert not torch.equal(result.output, usual.output)


def test_numbers_are_those_of_the_engines_own_weights() -> None:
    layer, usual = one_head(14)
    compared = compare_levels(layer, usual)
    for found in compared.variants:
        without, result = variant(layer, usual, found.name)
        both = compare_head(result, without)
        assert found.error == pytest.approx(both.error, rel=1e-4)
        assert found.opened_only_error == pytest.approx(both.opened_only_error, rel=1e-4)
        assert found.reads == pytest.approx(result.mean_reads)
        assert sum(found.mass) == pytest.approx(1, abs=1e-5)
    phrases, sections, documents = zip(*(v.mass[2:] for v in compared.variants), strict=True)
    assert documents[0] > 0 and documents[1] == documents[3] == 0
    assert sections[0] > 0 and sections[2] == sections[3] == 0 and min(phrases) > 0
    assert compared.named("Phrases alone").raised_rows > 0 == compared.variants[0].raised_rows


def test_with_a_budget_of_all_keys_every_variant_is_standard_attention() -> None:
    compared = compare_levels(*one_head(TOKENS))
    assert compared.whole_rows == compared.queries == TOKENS
    for found in compared.variants:
        assert found.error < 1e-6 and found.opened_only_error < 1e-6
        assert found.mass[2:] == (0, 0, 0) and found.raised_rows == 0


def test_a_real_head(smollm2: LoadedModel) -> None:
    tokens = smollm2.tokenize((PROMPTS / "dialogue.txt").read_text("utf-8"))
    given = capture(smollm2, tokens, layers=[4])[4]
    one = replace(given, q=given.q[:1], k=given.k[:1], v=given.v[:1])
    field = shipped_field(smollm2.name, smollm2.fingerprint).layer(4).group(0, slice(1))
    layer, result = attended(one, field, Spending(torch.tensor([24])))
    compared = compare_levels(layer, result)
    usual, no_sections = compared.named("all levels"), compared.named("without Sections")
    assert usual.error == pytest.approx(compare_head(result, layer).error, rel=1e-5)
    assert 0 < usual.error < 1 and no_sections.error != usual.error
