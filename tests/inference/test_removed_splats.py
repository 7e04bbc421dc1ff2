"""Splats removed inside a model: against sums by hand, alone and beside other programs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from hsa.errors import FieldError, InputError, ModelError
from hsa.field.model_field import ModelField
from hsa.field.routing import key_paths
from hsa.inference.given_outputs import GivenOutputs
from hsa.inference.removed_splats import RemovedSplats
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall, current, running
from hsa.models.substitution import standard
from tests.inference.tiny import adopted, field_of, inputs_of, pass_through
from tests.models.test_sharing import state

Llama = tuple[LoadedModel, ModelField]


def calls_of(
    loaded: LoadedModel, program: object, inputs: dict
) -> list[tuple[AttentionCall, Tensor]]:
    """Every call of a pass with what the program answered."""
    found = []

    def record(call: AttentionCall) -> Tensor:
        found.append((call, program(call)))
        return found[-1][1]

    pass_through(loaded, record, **inputs)
    return found


def ids_in_use(field: ModelField, layer: int, group: int, call: AttentionCall) -> list[list[int]]:
    """Ids of each level that hold keys of this call, those with most keys first."""
    of_layer = field.layer(layer)
    paths = key_paths(of_layer, call.key[0])[group]
    return [
        of_layer.splat_id[group][
            rows.unique()[rows.unique(return_counts=True)[1].argsort(descending=True)]
        ].tolist()
        for rows in paths.unbind(1)
    ]


def by_hand(call: AttentionCall, head: int, gone: Tensor) -> Tensor:
    """One row, one key at a time."""
    share = call.query.shape[1] // call.key.shape[1]
    q, k, v = call.query[0, head], call.key[0, head // share], call.value[0, head // share]
    rows = []
    for query in range(q.shape[0]):
        keys = [j for j in range(q.shape[0]) if (j <= query or not call.causal) and not gone[j]]
        keys = keys or [query]
        weight = torch.stack([call.scaling * (q[query] @ k[j]) for j in keys]).softmax(0)
        rows.append(weight @ v[keys])
    return torch.stack(rows)


def removal(llama: Llama, inputs: dict, many: int = 2) -> dict[tuple[int, int], set[int]]:
    """Splats that are in use, of several levels, in two layers."""
    loaded, field = llama
    calls = calls_of(loaded, standard, inputs)
    used = {(at, g): ids_in_use(field, at, g, calls[at][0]) for at in (0, 2) for g in (0, 1)}
    return {
        (0, 1): set(used[0, 0][2][:many]),
        (0, 3): {used[0, 1][1][0], used[0, 1][2][0]},
        (2, 0): {used[2, 0][0][0]},
    }


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert", "mixed"])
def test_removed_is_attention_without_these_keys_by_hand(kind: str) -> None:
    loaded = adopted(kind)
    field = field_of(loaded, inputs_of(kind, 60, batch=3))
    inputs = inputs_of(kind, 30, seed=4)
    plain = calls_of(loaded, standard, inputs)
    share = loaded.query_heads // loaded.key_value_heads
    ids = ids_in_use(field, 1, 0, plain[1][0])
    chosen = {ids[1][0], ids[2][-1]}
    program = RemovedSplats(loaded, field, {(1, 0): chosen})
    answers = calls_of(loaded, program, inputs)
    assert torch.equal(answers[0][1], plain[0][1]), "an earlier layer is untouched"
    call, given = answers[1]
    of_layer = field.layer(1)
    splats = of_layer.splat_id[0][key_paths(of_layer, call.key[0])[0]]
    gone = torch.isin(splats, torch.tensor(sorted(chosen))).any(1)
    assert 0 < int(gone.sum()) < gone.numel()
    assert torch.allclose(given[0, :, 0], by_hand(call, 0, gone), atol=1e-5)
    assert torch.equal(given[:, :, 1:], standard(call)[:, :, 1:]), "other heads are untouched"
    assert program.removals[1, 0].keys == int(gone.sum()) and share >= 1
    assert not torch.equal(answers[2][1], plain[2][1]), "and what follows feels it"


def test_a_row_that_would_lose_every_key_keeps_its_own_token(llama: Llama, unseen: dict) -> None:
    loaded, field = llama
    documents = field.heads[1][0].splat_id[field.heads[1][0].rows(0)].tolist()
    program = RemovedSplats(loaded, field, {(1, 1): documents})
    call, given = calls_of(loaded, program, unseen)[1]
    assert torch.allclose(given[0, :, 1], call.value[0, 0], atol=1e-6)
    told = program.removals[1, 1]
    assert (told.keys, told.own_token_rows, told.rows_changed) == (60, 60, 60)


def test_an_empty_splat_changes_nothing_bit_for_bit(llama: Llama) -> None:
    loaded, field = llama
    inputs = inputs_of("llama", 12, seed=4)
    call = calls_of(loaded, standard, inputs)[1][0]
    used = {i for level in ids_in_use(field, 1, 0, call) for i in level}
    empty = set(field.heads[1][0].splat_id.tolist()) - used
    assert empty
    plain = pass_through(loaded, None, **inputs)
    for removed in ({}, {(1, 0): set()}, {(1, 0): empty, (1, 1): empty}):
        assert torch.equal(
            pass_through(loaded, RemovedSplats(loaded, field, removed), **inputs), plain
        )


def test_the_model_is_unchanged_after_a_pass_and_after_an_exception(
    llama: Llama, unseen: dict
) -> None:
    loaded, field = llama
    before, plain = state(loaded), pass_through(loaded, None, **unseen)
    program = RemovedSplats(loaded, field, removal(llama, unseen))
    changed = pass_through(loaded, program, **unseen)
    assert not torch.allclose(changed, plain, atol=1e-3)

    def breaks(call: AttentionCall) -> Tensor:
        program(call)
        raise RuntimeError("in the middle of a pass")

    with pytest.raises(RuntimeError, match="middle"):
        pass_through(loaded, breaks, **unseen)
    assert state(loaded) == before and current() is None
    assert torch.equal(pass_through(loaded, None, **unseen), plain)
    assert torch.equal(pass_through(loaded, program, **unseen), changed)


def test_two_threads_with_different_removals_never_mix(llama: Llama, unseen: dict) -> None:
    loaded, field = llama
    full = removal(llama, unseen)
    parts = [full, {(2, 0): full[2, 0]}, {}]
    wanted = [pass_through(loaded, RemovedSplats(loaded, field, part), **unseen) for part in parts]
    assert not torch.equal(wanted[0], wanted[1]) and not torch.equal(wanted[1], wanted[2])

    def wrong(at: int) -> int:
        program = RemovedSplats(loaded, field, parts[at])
        return sum(
            not torch.equal(pass_through(loaded, program, **unseen), wanted[at]) for _ in range(25)
        )

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(wrong, range(3))) == [0, 0, 0]


def test_it_refuses_what_it_cannot_run(llama: Llama) -> None:
    loaded, field = llama
    with pytest.raises(FieldError, match="no such splat"):
        RemovedSplats(loaded, field, {(0, 0): {9_999}})
    with pytest.raises(InputError, match="no such head"):
        RemovedSplats(loaded, field, {(7, 0): {0}})
    program = RemovedSplats(loaded, field, {(0, 0): {0}})
    with pytest.raises(InputError, match="one whole text"):
        pass_through(loaded, program, **inputs_of("llama", 12, batch=2))
    with pytest.raises(InputError, match="one whole text"), torch.no_grad(), running(program):
        loaded.model(**inputs_of("llama", 3), past_key_values=_cache(loaded))
    other = adopted("gpt2")
    with pytest.raises(ModelError, match="Another model"):
        pass_through(other, program, **inputs_of("gpt2", 12))
    with pytest.raises(FieldError, match="another model"):
        RemovedSplats(other, field, {})


def _cache(loaded: LoadedModel) -> object:
    with torch.no_grad():
        return loaded.model(**inputs_of("llama", 5), use_cache=True).past_key_values


def test_given_outputs_are_what_the_head_says(llama: Llama, unseen: dict) -> None:
    loaded, field = llama
    removed = RemovedSplats(loaded, field, {(1, 2): removal(llama, unseen)[2, 0] | {0, 1}})
    whole = pass_through(loaded, removed, **unseen)
    said = calls_of(loaded, removed, unseen)[1][1][0, :, 2]
    given = GivenOutputs(loaded, {(1, 2): said})
    assert torch.equal(pass_through(loaded, given, **unseen), whole)
    with pytest.raises(InputError, match="another text"):
        pass_through(loaded, given, **inputs_of("llama", 12))
    with pytest.raises(InputError, match="one layer"):
        GivenOutputs(loaded, {(0, 0): said, (1, 0): said})
