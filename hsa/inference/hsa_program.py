"""The program of a forward pass in which HSA answers, wholly or in part, for attention."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.blocked import blocked_attention
from hsa.attention.decoding import Decoding, begin, prefill, step
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.errors import FieldError, HSAError, ModelError
from hsa.field.layer_field import LayerField
from hsa.field.model_field import ModelField
from hsa.inference.guard import FAILURES, Guard, Health, not_finite, relative_error
from hsa.inference.ledger import Ledger
from hsa.inference.plan import RunPlan
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall
from hsa.models.splat_cache import Cache, states_of
from hsa.models.substitution import LOGIT_CHANGING, standard


@dataclass
class HSAProgram:
    """Runs a model under a plan; use it as `with running(HSAProgram(...)): model(...)`.

    One program serves one generation: it holds its cache and its counts, and nothing of it is
    shared with another visitor. The field and the model may be.
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
        self.ledger, self.health = Ledger(*shape), Health(*shape)
        self._number = {module: n for n, module in enumerate(self.loaded.attention_modules)}
        self._layers: dict[int, LayerField] = {}
        self._mask: Tensor | None = None
        self._leads: list[int] = []

    def __call__(self, call: AttentionCall) -> Float[Tensor, "B Tq H D"]:
        """Answer one layer's call."""
        start = time.perf_counter()
        layer = self._number[call.module]
        beta = self.plan.beta[layer] * self.health.beta[layer]
        window = call.sliding_window
        reads_all = (
            self.plan.blocks is None
            or not bool(beta.any())
            or (window is not None and window < call.key.shape[2])
        )
        try:
            if reads_all:
                self._read_everything(layer, call)
                return standard(call)
            _check_expressible(call)
            return self._blend(layer, call, beta)
        finally:
            self.ledger.seconds += time.perf_counter() - start

    def _blend(self, layer: int, call: AttentionCall, beta: Tensor) -> Tensor:
        try:
            output, troubled = self._answer(layer, call)
        except HSAError as error:
            return self._whole_layer(layer, call, str(error), "failure")
        except FAILURES as error:
            return self._whole_layer(
                layer, call, f"{type(error).__name__}: {str(error)[:200]}", "failure"
            )
        beta = beta.masked_fill(troubled, 0.0).to(output.device)
        if bool((beta == 1).all()):
            return output.to(call.query.dtype)
        usual = standard(call)
        mixed = usual + beta[:, None].to(usual.dtype) * (output.to(usual.dtype) - usual)
        # A head in trouble may hold NaN, which no weight of zero takes away.
        return torch.where((beta > 0)[:, None], mixed, usual)

    def _whole_layer(self, layer: int, call: AttentionCall, message: str, cause: str) -> Tensor:
        self.ledger.fell_back(layer, None, message)
        for head in range(self.loaded.query_heads):
            self.health.trouble(cause, layer, head, self.guard, self.ledger)
        self._read_everything(layer, call)
        return standard(call)

    def _answer(self, layer: int, call: AttentionCall) -> tuple[Tensor, Tensor]:
        """HSA outputs [B, Tq, H, V] of a call, and the heads that must not use them."""
        batch, heads, asked, _ = call.query.shape
        place = states_of(self.cache, layer)
        total = call.key.shape[2] if place is None else int(place.get_seq_length())
        leads = self._check_mask(call, total)
        output = call.query.new_zeros(
            batch, asked, heads, call.value.shape[-1], dtype=torch.float32
        )
        known: list[Decoding | None] = (place and place.states) or [None] * batch
        states: list[Decoding] = []
        troubled = torch.zeros(heads, dtype=torch.bool)
        for row in range(batch):
            k, v = (t[row, :, leads[row] : total] for t in (call.key, call.value))
            q = call.query[row, :, max(asked - k.shape[1], 0) :]
            found, state = self._sequence(layer, call, q, k, v, known[row], place is not None)
            troubled |= self._judge(layer, call.scaling, q, k, v, found)
            output[row, asked - q.shape[1] :] = found.movedim(1, 0)
            if state is not None:
                states.append(state)
        if place is not None and states:
            place.states = states
        return output, troubled

    def _sequence(
        self,
        layer: int,
        call: AttentionCall,
        q: Float[Tensor, "H n D"],
        k: Float[Tensor, "G T D"],
        v: Float[Tensor, "G T V"],
        state: Decoding | None,
        keep: bool,
    ) -> tuple[Float[Tensor, "H n V"], Decoding | None]:
        """One sequence's outputs, and its state where a cache can carry it."""
        assert self.plan.blocks is not None
        field, own = self._field(layer), self._own(layer)
        asked, total = q.shape[1], k.shape[1]
        positions = torch.arange(total - asked, total)
        near = self.plan.blocks.near_read(positions).sum()
        after = None
        if not call.causal:
            found, read = _both_ways(layer, field, q, k, v, call.scaling, self._most_read())
            near = torch.zeros(())
        elif asked == total:
            if not keep:
                result = blocked_attention(q, k, v, call.scaling, field, self.plan.blocks, own)
            else:
                empty = begin(field, self.plan.blocks, call.scaling, own, v.shape[-1])
                result, after = prefill(empty, q, k, v)
            found = result.output.flatten(0, 1)
            size = self.plan.blocks.block
            weight = (torch.arange(result.reads.shape[0]) * size).neg().add(total).clamp_max(size)
            shares = torch.tensor(own).view(result.reads.shape[1:]) == 0
            far = result.reads + result.choosing.unsqueeze(2) * shares.to(result.reads.device)
            read = (far.cpu() * weight[:, None, None]).sum(0).flatten()
        elif state is None:
            raise ModelError(
                "This cache was not filled by HSA",
                got=f"{total - asked} tokens whose queries are unknown",
                needed="a cache of `splat_cache` that HSA has read from its first token",
                attempt="begin the text anew",
            )
        else:
            state = replace(state, own=own, field=field)
            output, reads, after = step(state, q, k, v)
            found, read = output.flatten(0, 1), reads.sum(-1).flatten().cpu()
        keys = (positions + 1).sum() if call.causal else torch.tensor(asked * total)
        self.ledger.read(layer, read + near, keys.expand_as(read), asked)
        return found, after

    def _judge(
        self, layer: int, scaling: float, q: Tensor, k: Tensor, v: Tensor, found: Tensor
    ) -> Tensor:
        """Heads that are not finite, or beyond the error bound on checked queries."""
        bad = not_finite(found).cpu()
        for head in bad.nonzero().flatten().tolist():
            self.ledger.fell_back(layer, head, "HSA gave numbers that are not finite")
            self.health.trouble("not finite", layer, head, self.guard, self.ledger)
        first = k.shape[1] - q.shape[1]
        rows = self.guard.rows(first, q.shape[1])
        if not rows:
            return bad
        heads, groups = q.shape[0], k.shape[0]
        picked = q[:, rows].float().reshape(groups, -1, len(rows), q.shape[2])
        logits = scaling * (picked @ k.float().unsqueeze(1).mT)
        if self.loaded.causal:
            later = torch.arange(k.shape[1], device=q.device) > first + torch.tensor(
                rows, device=q.device
            ).unsqueeze(1)
            logits = logits.masked_fill(later, -torch.inf)
        wanted = (logits.softmax(-1) @ v.float().unsqueeze(1)).view(heads, len(rows), -1)
        error = relative_error(found[:, rows], wanted).cpu()
        self.ledger.checked(layer, error)
        beyond = (error > self.guard.bound) & ~bad
        for head in beyond.nonzero().flatten().tolist():
            self.ledger.fell_back(
                layer, head,
                f"output error {float(error[head]):.2f} on {len(rows)} checked queries, "
                f"bound {self.guard.bound:g}",
            )  # fmt: skip
            self.health.trouble("error", layer, head, self.guard, self.ledger)
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
        """Far tokens opened per query; a shared head that needs more reads opens alone."""
        assert self.plan.blocks is not None
        more = self.health.more_reads[layer].tolist()
        least = max(self.plan.blocks.tokens, 16)
        return tuple(
            round(own * factor) if own or factor == 1 else round(least * factor / 2)
            for own, factor in zip(self.plan.own[layer], more, strict=True)
        )

    def _most_read(self) -> int:
        assert self.plan.blocks is not None
        return self.plan.blocks.splats + self.plan.blocks.tokens

    def _read_everything(self, layer: int, call: AttentionCall) -> None:
        """Count a call that reads every visible key."""
        batch, heads, asked, _ = call.query.shape
        if call.mask is not None and call.mask.dtype == torch.bool:
            seen = float(call.mask.sum()) * batch / call.mask.shape[0]
        else:
            total = call.key.shape[2]
            seen = batch * sum(range(total - asked + 1, total + 1)) if call.causal else (
                batch * asked * total
            )  # fmt: skip
        each = torch.full((heads,), float(seen))
        self.ledger.read(layer, each, each, batch * asked)

    def _check_mask(self, call: AttentionCall, total: int) -> list[int]:
        """Where each sequence begins; a mask that says more than padding is refused."""
        batch = call.query.shape[0]
        if call.mask is None:
            return [0] * batch
        if call.mask is self._mask:
            return self._leads
        if call.mask.dtype != torch.bool:
            raise _unknown_mask("a mask of numbers added to the logits")
        asked, leads = call.query.shape[2], []
        for row in range(batch):
            seen = call.mask[row if call.mask.shape[0] > 1 else 0, 0]
            visible = seen[-1].nonzero().flatten()
            if not visible.numel():
                raise _unknown_mask("a query that may see nothing")
            lead = int(visible[0])
            for at in {asked - 1, asked // 2, max(lead - (total - asked), 0)}:
                last = total - asked + at if call.causal else int(visible[-1])
                wanted = torch.arange(seen.shape[1], device=seen.device)
                wanted = (wanted >= lead) & (wanted <= last)
                own = wanted & seen[-1] if call.causal else wanted
                if not torch.equal(seen[at], own):
                    raise _unknown_mask(f"keys hidden from query {at} within its text")
            leads.append(lead)
        self._mask, self._leads = call.mask, leads
        return leads


def _unknown_mask(got: str) -> ModelError:
    return ModelError(
        "This attention mask cannot be read by HSA",
        got=got,
        needed="causal or bidirectional attention with padding at the ends",
    )


def _check_expressible(call: AttentionCall) -> None:
    """Refuse logits that no closed splat can answer for (design §6).

    Raises:
        ModelError: soft-capped logits, additive position biases or learned sinks.
    """
    changing = [name for name in LOGIT_CHANGING if call.extras.get(name) is not None]
    if call.softcap is not None:
        changing.append("softcap")
    if changing:
        raise ModelError(
            "HSA cannot read a part of the keys of this model",
            got=f"attention with {', '.join(changing)}",
            needed="softmax over scaled q·k",
            attempt="read every key (reads of at least the text's length)",
        )


def _both_ways(
    layer: int,
    field: LayerField,
    q: Float[Tensor, "H T D"],
    k: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    scaling: float,
    reads: int,
) -> tuple[Float[Tensor, "H T V"], Float[Tensor, " H"]]:
    """A bidirectional layer by the reference; the first and last tokens are special."""
    special = torch.zeros(k.shape[1], dtype=torch.bool, device=k.device)
    special[[0, -1]] = True
    activations = Activations(layer, q, k, v, scaling, False, special)
    spending = Spending(torch.full((q.shape[0],), reads))
    result = attend(activations, field, spending)
    spent = torch.zeros(q.shape[0])
    for block in result.blocks:
        spent += block.reads.flatten(0, 1).sum(-1) + block.near_count.sum()
    return result.output, spent
