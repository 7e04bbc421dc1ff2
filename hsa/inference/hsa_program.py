"""The program of a forward pass in which HSA answers, wholly or in part, for attention."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.errors import FieldError, InputError, ModelError
from hsa.field.layer_field import LayerField
from hsa.field.model_field import ModelField
from hsa.inference.guard import FAILURES, Guard, Health, not_finite, relative_error
from hsa.inference.late import missed
from hsa.inference.ledger import Ledger
from hsa.inference.own_layers import OwnLayers
from hsa.inference.plan import RunPlan
from hsa.inference.readable import check_expressible, spans
from hsa.inference.sequence import Answered, Sequence, answer, exact_rows
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall
from hsa.models.splat_cache import Cache, SplatLayer, states_of
from hsa.models.substitution import standard


@dataclass
class HSAProgram:
    """Runs a model under a plan; use it as `with running(HSAProgram(...)): model(...)`.

    One program serves one generation: it holds its cache and its counts, and nothing of it is
    shared with another visitor. The field and the model may be.

    Raises:
        FieldError: no field, or another model's.
        InputError: a plan for another model.
        ModelError: in a forward pass, what HSA cannot read: a mask that says more than padding,
            a cache that it has not filled, logits that splats cannot express. What fails
            inside HSA does not end the pass: standard attention answers, and `ledger` says so.
    """

    loaded: LoadedModel
    field: ModelField | None
    plan: RunPlan
    cache: Cache | None = None
    guard: Guard = dataclasses.field(default_factory=Guard)
    ledger: Ledger = dataclasses.field(init=False)
    health: Health = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        shape = (self.loaded.layers, self.loaded.query_heads)
        if self.field is not None and self.field.fingerprint != self.loaded.fingerprint:
            raise FieldError(
                "The field belongs to another model",
                got=f"a field of {self.field.model}",
                needed=f"a field of {self.loaded.title}",
                attempt="fit one with `python -m hsa fit`",
            )
        if self.field is None and self.plan.blocks is not None:
            raise FieldError(
                f"{self.loaded.title} has no field",
                got="a plan that reads a part of the keys",
                needed="a field of this model",
                attempt="fit one with `python -m hsa fit`, or read every key",
            )
        if tuple(self.plan.beta.shape) != shape:
            raise InputError(
                "The plan belongs to another model",
                got=f"{tuple(self.plan.beta.shape)} layers and heads",
                needed=f"{shape}, those of {self.loaded.title}",
                attempt="make the plan from this model's field",
            )
        self.ledger, self.health = Ledger(*shape), Health(*shape)
        self._layer_of = OwnLayers(self.loaded)
        self._layers: dict[int, LayerField] = {}
        self._mask: Tensor | None = None
        self._spans: list[tuple[int, int]] = []

    def __call__(self, call: AttentionCall) -> Float[Tensor, "B Tq H D"]:
        """Answer one layer's call."""
        start = time.perf_counter()
        layer = self._layer_of.of(call)
        try:
            if self._reads_all(layer, call):
                self._read_everything(layer, call)
                return standard(call)
            check_expressible(call)
            return self._blend(layer, call)
        finally:
            self.ledger.seconds += time.perf_counter() - start

    def _beta(self, layer: int) -> Float[Tensor, " H"]:
        return self.plan.hsa_share(layer) * self.health.beta[layer]

    def _reads_all(self, layer: int, call: AttentionCall) -> bool:
        """By the plan, by trouble, or because a window already bounds what the layer reads."""
        window = call.sliding_window
        # A sliding layer of a cache carries no state: its first keys leave it.
        slides = window is not None and (
            window < call.key.shape[2]
            or (self.cache is not None and states_of(self.cache, layer) is None)
        )
        return self.plan.blocks is None or slides or not bool(self._beta(layer).any())

    def _blend(self, layer: int, call: AttentionCall) -> Tensor:
        blocks, place = self.plan.blocks, states_of(self.cache, layer)
        assert blocks is not None
        sequences = self._sequences(layer, call, place)
        known = (place and place.states) or [None] * len(sequences)
        try:
            answers = [
                answer(text, self._field(layer), blocks, self._own(layer), state, place is not None)
                for text, state in zip(sequences, known, strict=True)
            ]
            troubled = torch.zeros(call.query.shape[1], dtype=torch.bool)
            for text, found in zip(sequences, answers, strict=True):
                troubled |= self._judge(text, found.output)
        except FieldError as error:
            return self._whole_layer(call, sequences, place, str(error))
        except FAILURES as error:
            what = f"{type(error).__name__}: {str(error)[:200]}"
            return self._whole_layer(call, sequences, place, what)
        if place is not None:
            place.states = [found.state for found in answers]
        beta = self._beta(layer).masked_fill(troubled, 0.0)
        for found in answers:
            self.ledger.read(layer, _all_read(found, beta), found.keys, found.output.shape[1])
        beta = beta.to(call.query.device)
        batch, heads, asked, _ = call.query.shape
        output = call.query.new_zeros(batch, asked, heads, call.value.shape[-1]).float()
        for row, (text, found) in enumerate(zip(sequences, answers, strict=True)):
            output[row, text.rows] = found.output.movedim(1, 0)
        if bool((beta == 1).all()):
            return output.to(call.query.dtype)
        usual = standard(call)
        mixed = usual + beta[:, None].to(usual.dtype) * (output.to(usual.dtype) - usual)
        # A head in trouble may hold NaN, which no weight of zero takes away.
        return torch.where((beta > 0)[:, None], mixed, usual)

    def _whole_layer(
        self, call: AttentionCall, sequences: list[Sequence], place: SplatLayer | None, message: str
    ) -> Tensor:
        """Standard attention for a call that HSA failed on; what it missed is kept for it."""
        layer = sequences[0].layer
        self.ledger.fell_back(layer, None, message)
        for head in range(self.loaded.query_heads):
            self.health.trouble("failure", layer, head, self.guard, self.ledger)
        if place is not None:
            known = place.states or [None] * len(sequences)
            place.states = [
                missed(state, text.q) for state, text in zip(known, sequences, strict=True)
            ]
        self._read_everything(layer, call)
        return standard(call)

    def _sequences(
        self, layer: int, call: AttentionCall, place: SplatLayer | None
    ) -> list[Sequence]:
        """Each sequence of the call without its padding."""
        total = call.key.shape[2]
        if place is not None:
            if place.keys is None or place.keys.shape[2] != total:
                raise ModelError(
                    "The model runs on another cache than its program",
                    got=f"{total} keys",
                    needed="`past_key_values` to be the cache that the program was given",
                )
            total = int(place.get_seq_length())
        if call.mask is None or call.mask is not self._mask:
            self._spans, self._mask = spans(call, total), call.mask
        before = total - call.query.shape[2]
        found = []
        for row, (first, end) in enumerate(self._spans):
            rows = slice(max(first - before, 0), end - before)
            k, v = call.key[row, :, first:end], call.value[row, :, first:end]
            q = call.query[row, :, rows]
            found.append(Sequence(layer, rows, q, k, v, call.scaling, call.causal))
        return found

    def _judge(self, text: Sequence, found: Float[Tensor, "H n V"]) -> Bool[Tensor, " H"]:
        """Heads that are not finite, or beyond the error bound on checked queries."""
        bad = not_finite(found).cpu()
        for head in bad.nonzero().flatten().tolist():
            self.ledger.fell_back(text.layer, head, "HSA gave numbers that are not finite")
            self.health.trouble("not finite", text.layer, head, self.guard, self.ledger)
        rows = self.guard.rows(text.before, text.q.shape[1])
        if not rows:
            return bad
        error = relative_error(found[:, rows], exact_rows(text, rows)).cpu()
        self.ledger.checked(text.layer, error)
        beyond = (error > self.guard.bound) & ~bad
        for head in beyond.nonzero().flatten().tolist():
            self.ledger.fell_back(
                text.layer, head,
                f"output error {float(error[head]):.2f} on {len(rows)} checked queries, "
                f"bound {self.guard.bound:g}",
            )  # fmt: skip
            self.health.trouble("error", text.layer, head, self.guard, self.ledger)
        return bad | beyond

    def _field(self, layer: int) -> LayerField:
        if layer not in self._layers:
            assert self.field is not None
            device = next(self.loaded.model.parameters()).device
            self._layers[layer] = self.field.layer(layer).to(device)
        field = self._layers[layer]
        factor = self.health.temper[layer]
        if bool((factor == 1).all()):
            return field
        factor = factor.view(*field.temper.shape[:2], 1).to(field.temper.device)
        return replace(field, temper=field.temper * factor)

    def _own(self, layer: int) -> tuple[int, ...]:
        """Far reads of each query of a head; a shared one that needs more opens alone."""
        assert self.plan.blocks is not None
        more = self.health.more_reads[layer].tolist()
        least = max(self.plan.blocks.tokens, 16)
        return tuple(
            round(own * factor) if own or factor == 1 else round(least * factor / 2)
            for own, factor in zip(self.plan.own[layer], more, strict=True)
        )

    def _read_everything(self, layer: int, call: AttentionCall) -> None:
        """Count a call that reads every visible key."""
        batch, heads, asked, _ = call.query.shape
        if call.mask is not None and call.mask.dtype == torch.bool:
            seen = float(call.mask[:, 0].sum()) * batch / call.mask.shape[0]
        elif call.causal and asked > 1:
            # Without a mask the text begins here, however large a static cache is.
            seen = batch * asked * (asked + 1) / 2
        else:
            seen = batch * asked * call.key.shape[2]
        each = torch.full((heads,), float(seen))
        self.ledger.read(layer, each, each, batch * asked)


def _all_read(found: Answered, beta: Float[Tensor, " H"]) -> Float[Tensor, " H"]:
    """Reads of heads that are HSA alone, standard attention alone, or both."""
    hsa, usual = found.reads * (beta > 0), found.keys * (beta < 1)
    return hsa + usual
