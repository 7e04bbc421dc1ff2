"""A conversation in which HSA takes over from standard attention as far as both agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.field.model_field import ModelField
from hsa.inference.ledger import Ledger
from hsa.inference.plan import run_plan
from hsa.inference.speed import Speed, speed
from hsa.inference.stoppable import StoppableProgram, Stopped, never
from hsa.inference.text_agreement import MOST_MEASURED
from hsa.inference.transition import Observation, TransitionController, TransitionSettings
from hsa.inference.write import Written, write
from hsa.inference.writing import Writing
from hsa.models.loaded import LoadedModel
from hsa.models.tokenization import chat_ids, tokens_of_ids

Stage = Literal["waiting for a question", "answering", "observing"]


@dataclass(frozen=True)
class Turn:
    """A question and its answer.

    Attributes:
        beta: β of every layer while the answer was written.
        tokens: of the whole conversation up to the end of this answer.
        observed: what the controller saw on it; None where it did not look.
    """

    question: str
    answer: str
    beta: Float[Tensor, " L"]
    tokens: int
    stopped: bool
    speed: Speed | None
    ledger: Ledger
    observed: Observation | None = None

    @property
    def seconds(self) -> float:
        """What the answer took, all tokens together."""
        return 0.0 if self.speed is None else self.speed.in_all

    @property
    def mean_beta(self) -> float:
        """Mean β over the layers."""
        return float(self.beta.mean())


class Chat:
    """One visitor's conversation, and the controller that watches it."""

    def __init__(
        self, loaded: LoadedModel, field: ModelField, settings: TransitionSettings | None = None
    ) -> None:
        self.loaded, self.field = loaded, field
        self.controller = TransitionController(loaded.layers, settings)
        self.turns: list[Turn] = []
        self.stage: Stage = "waiting for a question"
        self.question = ""
        self.written: list[Written] = []

    def answer(
        self,
        question: str,
        asked: Writing,
        stopped: Callable[[], bool] = never,
        abandoned: Callable[[], bool] = never,
    ) -> None:
        """Write an answer at the β that holds now, then let the controller look at both.

        A question that is refused leaves the conversation as it was.

        Args:
            asked: how much to write, and how; its β are the controller's to choose.
        """
        turns = [
            part for t in self.turns for part in (("user", t.question), ("assistant", t.answer))
        ]
        self.question, self.written, self.stage = question, [], "answering"
        try:
            ids = chat_ids(self.loaded.tokenizer, [*turns, ("user", question)])
            turn, ids = self._write(ids, asked, stopped)
            self.turns.append(turn)
            self.stage = "observing"
            if not abandoned() and len(ids) <= MOST_MEASURED:
                self.turns[-1] = self._observed(turn, ids, asked)
        finally:
            self.stage, self.question = "waiting for a question", ""

    def _write(
        self, ids: list[int], asked: Writing, stopped: Callable[[], bool]
    ) -> tuple[Turn, list[int]]:
        beta = self.controller.beta.clone()
        plan = run_plan(self.field, len(ids) + asked.most, None, asked.opening).with_beta(beta)
        program = StoppableProgram(self.loaded, self.field, plan, stopped=stopped)
        generator = torch.Generator().manual_seed(asked.seed)
        try:
            for written in write(program, ids, asked.most, asked.temperature, generator, stopped):
                self.written.append(written)
        except Stopped:
            pass
        answer = self.written[-1].text if self.written else ""
        ids = [*ids, *(written.token for written in self.written)]
        turn = Turn(
            self.question, answer, beta, len(ids), stopped(), speed(self.written),
            program.ledger,
        )  # fmt: skip
        return turn, ids

    def _observed(self, turn: Turn, ids: list[int], asked: Writing) -> Turn:
        plan = run_plan(self.field, len(ids), None, asked.opening)
        tokens = tokens_of_ids(self.loaded.tokenizer, ids)
        seen = self.controller.observe(self.loaded, self.field, plan, tokens)
        return replace(turn, observed=seen)
