"""One prompt continued by standard attention and by HSA, token about token."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from hsa.field.model_field import ModelField
from hsa.inference.ledger import Ledger
from hsa.inference.plan import read_everything, run_plan
from hsa.inference.stoppable import StoppableProgram, Stopped, never
from hsa.inference.text_agreement import MOST_MEASURED, TextAgreement, text_agreement
from hsa.inference.write import Written, write
from hsa.inference.writing import Writing
from hsa.models.loaded import LoadedModel
from hsa.models.tokenization import tokens_of_ids

SOON_MEASURED = 512
"""Tokens of the longest text that is measured at once even after a stop."""

Stage = Literal["not begun", "writing", "measuring", "done"]


@dataclass(eq=False)
class Lane:
    """One of the two continuations; `written` and `ledger` grow while it runs."""

    ledger: Ledger
    written: list[Written] = dataclasses.field(default_factory=list)

    @property
    def text(self) -> str:
        """All that was written so far."""
        return self.written[-1].text if self.written else ""


class SideBySide:
    """Both continuations of a prompt, and how far they agree; watched while `run` goes on.

    The two take turns, a token each, so that neither is timed while the other computes and
    whatever else the machine does falls on both. Nothing is shared with another visitor's run
    but model and field.

    Attributes:
        agreement: on the prompt and what HSA wrote; None until it is measured, and for texts
            of more than MOST_MEASURED tokens (SOON_MEASURED after a stop) until `measure` is
            asked for.
    """

    def __init__(
        self, loaded: LoadedModel, field: ModelField, ids: Sequence[int], asked: Writing
    ) -> None:
        self.loaded, self.field, self.ids, self.asked = loaded, field, tuple(ids), asked
        tokens = len(self.ids) + asked.most
        plan = run_plan(field, tokens, asked.everything, asked.opening)
        self.plan = plan.with_beta(torch.tensor(asked.betas(field.layers)))
        usual = read_everything(loaded.layers, loaded.query_heads)
        programs = [StoppableProgram(loaded, field, plan) for plan in (usual, self.plan)]
        self._programs: list[StoppableProgram] = programs
        self.standard, self.ours = (Lane(program.ledger) for program in programs)
        self.stage: Stage = "not begun"
        self.stopped = False
        self.agreement: TextAgreement | None = None

    def run(
        self, stopped: Callable[[], bool] = never, abandoned: Callable[[], bool] = never
    ) -> None:
        """Write, then measure; a run that was stopped is measured on what it wrote.

        Args:
            stopped: asked before every layer; True ends the writing.
            abandoned: True when nobody waits for the measurement either, which then ends too.
        """
        self.stage = "writing"
        try:
            for _ in self._write(stopped):
                pass
        except Stopped:
            pass
        finally:
            # With their caches of every key and value, they are of no use any more.
            self._programs = []
        self.stopped = stopped()
        if self.length <= (SOON_MEASURED if self.stopped else MOST_MEASURED):
            self.measure(abandoned)
        self.stage = "done"

    @property
    def length(self) -> int:
        """Tokens of the prompt and of what HSA wrote."""
        return len(self.ids) + len(self.ours.written)

    def measure(self, stopped: Callable[[], bool] = never) -> None:
        """Agreement on the prompt and what HSA wrote; none if it is stopped."""
        self.stage = "measuring"
        ids = [*self.ids, *(written.token for written in self.ours.written)]
        tokens = tokens_of_ids(self.loaded.tokenizer, ids)
        prompt = len(self.ids)
        try:
            self.agreement = text_agreement(
                self.loaded, self.field, self.plan, tokens, prompt, stopped
            )
        except Stopped:
            pass
        finally:
            self.stage = "done"

    def _write(self, stopped: Callable[[], bool]) -> Iterator[None]:
        going: list[tuple[Lane, Iterator[Written]]] = []
        for lane, program in zip((self.standard, self.ours), self._programs, strict=True):
            program.stopped = stopped
            generator = torch.Generator().manual_seed(self.asked.seed)
            most, temperature = self.asked.most, self.asked.temperature
            going.append((lane, write(program, self.ids, most, temperature, generator, stopped)))
        while going:
            for lane, writer in tuple(going):
                written = next(writer, None)
                if written is None:
                    going.remove((lane, writer))
                else:
                    lane.written.append(written)
                    yield
