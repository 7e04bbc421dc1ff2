"""What a forward pass does, decided per thread and never by switching the model.

One loaded model serves every visitor. Switching its attention or hanging hooks on it while
another visitor runs mixes their results silently, so the model always calls the same
function, and that function asks this ContextVar what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn


@dataclass(frozen=True)
class AttentionCall:
    """One layer's request for attention, as transformers hands it over.

    `mask` is boolean (True: may see) or None; with None a causal module sees no later key
    and a bidirectional one sees all. Key and value hold the cached past, unrepeated.
    """

    module: nn.Module
    query: Float[Tensor, "B H Tq D"]
    key: Float[Tensor, "B G Tk D"]
    value: Float[Tensor, "B G Tk D"]
    mask: Tensor | None
    scaling: float
    causal: bool
    dropout: float = 0.0
    sliding_window: int | None = None
    softcap: float | None = None
    extras: dict[str, Any] = field(default_factory=dict)


class Program(Protocol):
    """Answers an attention call with the heads' outputs, contiguous."""

    def __call__(self, call: AttentionCall) -> Float[Tensor, "B Tq H D"]: ...


_PROGRAM: ContextVar[Program | None] = ContextVar("hsa_attention_program", default=None)


def current() -> Program | None:
    """The program of this thread's forward pass; None means standard attention."""
    return _PROGRAM.get()


@contextmanager
def running(program: Program | None) -> Iterator[None]:
    """Forward passes inside this block follow `program`; outside nothing changes.

    A worker thread starts from an empty context: enter the block inside the worker.
    """
    token = _PROGRAM.set(program)
    try:
        yield
    finally:
        _PROGRAM.reset(token)
