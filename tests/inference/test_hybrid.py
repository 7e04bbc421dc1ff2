"""Standard attention and HSA blended per head, and generations that leave each other alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from hsa.attention.block_plan import BlockPlan
from hsa.errors import InputError, ModelError
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import RunPlan
from hsa.inference.write import write
from hsa.models.loading import load
from hsa.models.program import current, running
from hsa.models.substitution import standard
from tests.inference.tiny import (
    PART,
    TRUSTING,
    adopted,
    field_of,
    inputs_of,
    pass_through,
    plan_of,
    with_cache,
)
from tests.models.conftest import build, save_tokenizer, words

TOKENS = 50


def answers(llama, **programs):
    """What each program answers to the calls of one standard forward pass, by layer."""
    loaded, field = llama
    found = {name: [] for name in ("standard", *programs)}
    made = {
        name: HSAProgram(loaded, field, plan, guard=TRUSTING) for name, plan in programs.items()
    }

    def ask_all(call):
        for name, program in made.items():
            found[name].append(program(call))
        found["standard"].append(standard(call))
        return found["standard"][-1]

    pass_through(loaded, ask_all, **inputs_of("llama", TOKENS, batch=2))
    return {name: torch.stack(layers) for name, layers in found.items()}


def test_beta_blends_every_head(llama) -> None:
    plan = plan_of(llama[0], PART, 16)
    by_layer = torch.tensor([0.0, 0.3, 1.0])
    by_head = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    by_head[1, 2], by_head[2, 0], by_head[2, 3] = 0, 1, 0
    found = answers(
        llama, zero=plan.with_beta(0.0), hsa=plan, half=plan.with_beta(0.5),
        layers=plan.with_beta(by_layer), heads=plan.with_beta(by_head),
    )  # fmt: skip
    usual, hsa = found["standard"], found["hsa"]
    assert torch.equal(found["zero"], usual)
    assert float((hsa - usual).abs().max()) > 0.1
    torch.testing.assert_close(found["half"], (usual + hsa) / 2, atol=1e-6, rtol=1e-5)
    for name, beta in (("layers", by_layer[:, None]), ("heads", by_head)):
        weight = beta[:, None, None, :, None]
        blended = (1 - weight) * usual + weight * hsa
        torch.testing.assert_close(found[name], blended, atol=1e-5, rtol=1e-5)
    assert torch.equal(found["layers"][0], usual[0])
    assert torch.equal(found["heads"][1][:, :, 2], usual[1][:, :, 2])
    assert torch.equal(found["layers"][2], hsa[2])


def test_reads_count_what_a_blend_reads_of_both(llama) -> None:
    loaded, field = llama
    text = inputs_of("llama", TOKENS)
    ledgers = {}
    for beta in (0.0, 0.5, 1.0):
        program = HSAProgram(loaded, field, plan_of(loaded, PART).with_beta(beta), guard=TRUSTING)
        pass_through(loaded, program, **text)
        ledgers[beta] = program.ledger
    assert torch.equal(ledgers[0.0].reads, ledgers[0.0].keys)
    assert float(ledgers[0.0].keys[0, 0]) == TOKENS * (TOKENS + 1) / 2
    assert ledgers[1.0].share_read < 1
    # The first layer is given the same in all three.
    both = ledgers[0.0].reads[0] + ledgers[1.0].reads[0]
    torch.testing.assert_close(ledgers[0.5].reads[0], both)


@pytest.mark.parametrize("beta", [-0.01, 1.5, float("nan"), float("inf")])
def test_beta_out_of_bounds_is_refused(llama, beta) -> None:
    plan = plan_of(llama[0], PART)
    one_wrong = torch.full((3, 4), 0.5)
    one_wrong[2, 1] = beta
    for given in (beta, torch.tensor([0.5, beta, 0.5]), one_wrong):
        with pytest.raises(InputError, match=r"β is out of bounds.*0 \(standard\) to 1"):
            plan.with_beta(given)


def test_plans_that_do_not_fit_are_refused(llama) -> None:
    plan = plan_of(llama[0], PART)
    for wrong in (torch.ones(4), torch.ones(2, 4), torch.ones(3, 1, 4)):
        with pytest.raises(InputError, match="β does not fit the model"):
            plan.with_beta(wrong)
    with pytest.raises(InputError, match="do not belong together"):
        RunPlan(PART, plan.own[:2], plan.beta)
    with pytest.raises(InputError, match="negative"):
        RunPlan(PART, ((-1,) * 4, *plan.own[1:]), plan.beta)
    with pytest.raises(InputError, match="splats"):
        BlockPlan(splats=0)


def test_two_generations_at_once_are_each_what_they_are_alone(llama) -> None:
    loaded, field = llama
    few = plan_of(loaded, replace(PART, splats=2, tokens=2))
    jobs = [(plan_of(loaded, PART, 16), 1), (few, 2), (few.with_beta(0.0), 1)]

    def generate(job):
        plan, seed = job
        program = with_cache(loaded, field, plan)
        ids = inputs_of("llama", TOKENS, seed=seed)["input_ids"]
        with torch.no_grad(), running(program):
            found = loaded.model.generate(
                ids, past_key_values=program.cache, max_new_tokens=10, min_new_tokens=10,
                do_sample=False, output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        return torch.stack(found.logits), program.ledger.reads

    alone = [generate(job) for job in jobs]
    assert not torch.equal(alone[0][0], alone[2][0])
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(generate, 3 * jobs))
    for number, (logits, reads) in enumerate(together):
        assert torch.equal(logits, alone[number % 3][0])
        assert torch.equal(reads, alone[number % 3][1])
    assert current() is None


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """The tiny Llama with a tokenizer, so that it writes text."""
    folder = tmp_path_factory.mktemp("writer")
    build("llama").save_pretrained(folder)
    save_tokenizer(folder, "llama")
    loaded = load(str(folder))
    ids = loaded.tokenize(words(40)).ids
    return loaded, field_of(loaded, {"input_ids": torch.tensor([ids])}), ids


def written(writer, most=8, **options):
    loaded, field, ids = writer
    program = HSAProgram(loaded, field, plan_of(loaded, PART, 16), guard=TRUSTING)
    return program, write(program, ids, most, **options)


def test_a_stop_in_mid_stream_leaves_nothing_behind(writer) -> None:
    _, stream = written(writer)
    whole = [token.token for token in stream]
    assert len(whole) == 8
    seen: list[int] = []
    _, stopped = written(writer, stopped=lambda: len(seen) == 3)
    for token in stopped:
        assert current() is None, "between tokens nothing runs under a program"
        seen.append(token.token)
    assert seen == whole[:3]
    thrown, left = written(writer)
    next(left)
    left.close()
    assert thrown.ledger.fallbacks == 0
    assert [token.token for token in written(writer)[1]] == whole


def test_what_is_written_is_what_generate_writes(writer) -> None:
    loaded, field, ids = writer
    program, stream = written(writer)
    tokens = list(stream)
    cached = with_cache(loaded, field, program.plan)
    with torch.no_grad(), running(cached):
        wanted = loaded.model.generate(
            torch.tensor([ids]), past_key_values=cached.cache, max_new_tokens=8, min_new_tokens=8,
            do_sample=False,
        )  # fmt: skip
    assert [token.token for token in tokens] == wanted[0, len(ids) :].tolist()
    assert tokens[-1].text == loaded.tokenizer.decode(wanted[0, len(ids) :])
    assert [token.keys for token in tokens] == list(range(len(ids), len(ids) + 8))
    assert all(0 < token.reads < token.keys and token.seconds > 0 for token in tokens)


def test_sampling_follows_its_generator(writer) -> None:
    def drawn(seed):
        generator = torch.Generator().manual_seed(seed)
        return [t.token for t in written(writer, temperature=1.5, generator=generator)[1]]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_what_cannot_be_written_is_refused(writer) -> None:
    ids = writer[2]
    for most in (0, 57, 9000):
        with pytest.raises(InputError, match=r"context.*1 to 96 tokens.*at most 56"):
            next(written(writer, most)[1])
    with pytest.raises(InputError, match="temperature"):
        next(written(writer, temperature=-1.0)[1])
    program, _ = written(writer)
    with pytest.raises(InputError, match="nothing to continue"):
        next(write(program, [], 3))
    bert = adopted("bert")
    with pytest.raises(ModelError, match="writes no text"):
        plan = plan_of(bert, PART)
        next(write(HSAProgram(bert, field_of(bert, inputs_of("bert", 50)), plan), ids, 3))
