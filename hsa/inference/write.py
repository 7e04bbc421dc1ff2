"""Continue a text token by token, under standard attention or HSA, and stop when asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from hsa.errors import InputError, ModelError
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import blocked_shape
from hsa.models.fits import check_text
from hsa.models.loaded import LoadedModel
from hsa.models.program import running
from hsa.models.splat_cache import splat_cache


@dataclass(frozen=True)
class Written:
    """One token written: its id, all text written so far, and what it took.

    `seconds` is the time of this token alone; the first carries the reading of the prompt.
    `reads` is everything read for it, mean over layers and heads, and `keys` what standard
    attention reads there.
    """

    token: int
    text: str
    seconds: float
    reads: float
    keys: int


def write(
    program: HSAProgram,
    ids: Sequence[int],
    most: int,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Written]:
    """Tokens as they are written, until `most`, the model's end, or `stopped()`.

    A run under another program, or by another visitor, changes nothing here: the program and
    its cache belong to this generation alone.

    Args:
        program: fresh; it is given its own cache.
        temperature: 0 writes the likeliest token, more samples with `generator`.

    Raises:
        InputError: no prompt, or more tokens than the model's context or memory holds.
        ModelError: the model writes no text.
    """
    loaded = program.loaded
    _check(loaded, ids, most, temperature)
    blocked = program.field and blocked_shape(program.field, program.plan)
    check_text(loaded, len(ids), written=most, keeps_cache=True, blocked=blocked)
    program.cache = splat_cache(loaded.model.config)
    device = loaded.model.device
    given = torch.tensor([list(ids)], device=device)
    written: list[int] = []
    ends = _ends(loaded)
    for _ in range(most):
        if stopped():
            return
        start = time.perf_counter()
        before, queries = program.ledger.reads.clone(), program.ledger.queries.clone()
        with torch.no_grad(), running(program):
            logits = loaded.model(
                given, past_key_values=program.cache, use_cache=True, logits_to_keep=1
            ).logits[0, -1]
        token = _pick(logits.float(), temperature, generator)
        asked = (program.ledger.queries - queries).clamp_min(1).unsqueeze(1)
        reads = float(((program.ledger.reads - before) / asked).mean())
        written.append(token)
        text = str(loaded.tokenizer.decode(written, skip_special_tokens=True))
        keys = len(ids) + len(written) - 1
        yield Written(token, text, time.perf_counter() - start, reads, keys)
        if token in ends:
            return
        given = torch.tensor([[token]], device=device)


def _pick(logits: torch.Tensor, temperature: float, generator: torch.Generator | None) -> int:
    if temperature == 0:
        return int(logits.argmax())
    shares = (logits / temperature).softmax(-1).cpu()
    return int(torch.multinomial(shares, 1, generator=generator))


def _ends(loaded: LoadedModel) -> set[int]:
    """Tokens that end a text."""
    configuration = loaded.model.generation_config
    found: set[int] = set()
    for end in (configuration and configuration.eos_token_id, loaded.tokenizer.eos_token_id):
        found.update(e for e in (end if isinstance(end, list) else [end]) if isinstance(e, int))
    return found


def _check(loaded: LoadedModel, ids: Sequence[int], most: int, temperature: float) -> None:
    if not loaded.writes or loaded.tokenizer is None:
        raise ModelError(
            f"{loaded.title} writes no text",
            needed="a causal language model with its output head and its tokenizer",
            attempt="use 'smollm2'",
        )
    if not ids:
        raise InputError("There is nothing to continue", got="no tokens", attempt="type a prompt")
    if most < 1 or len(ids) + most > loaded.max_tokens:
        raise InputError(
            "The text would not fit the model's context",
            got=f"{len(ids)} tokens and {most} to write",
            needed=f"1 to {loaded.max_tokens} tokens in all",
            attempt=f"write at most {max(loaded.max_tokens - len(ids), 0)}, or cut the prompt",
        )
    if not 0 <= temperature <= 10:
        raise InputError("The temperature is out of bounds", got=temperature, needed="0 to 10")
