"""HSA Explorer's engine: Hierarchical Splat Attention beside standard attention.

The names below are all that a notebook needs. A pretrained model, the field that ships with
it, and a text continued while every query reads a part of the keys:

    >>> import hsa
    >>> model = hsa.load("smollm2")
    >>> field = hsa.shipped_field(model)
    >>> prompt = 9 * "The captain looked at the sea. " + "The captain looked at"
    >>> ids = model.tokenize(prompt).ids
    >>> plan = hsa.run_plan(field, tokens=len(ids) + 3, reads=40)
    >>> program = hsa.HSAProgram(model, field, plan)
    >>> for written in hsa.write(program, ids, most=3):
    ...     text = written.text
    >>> text
    ' the sea.'
    >>> program.ledger.share_read < 1, program.ledger.fallbacks < 5
    (True, True)

A head that errs beyond a bound on the few queries that are checked is answered by standard
attention for that call: logged, and counted in the ledger.

transformers' own `generate`, beams and all, with a cache that carries what HSA remembers:

    >>> import torch
    >>> cache = hsa.splat_cache(model.model.config)
    >>> with hsa.running(hsa.HSAProgram(model, field, plan, cache)):
    ...     found = model.model.generate(
    ...         torch.tensor([ids]), past_key_values=cache, max_new_tokens=3, do_sample=False
    ...     )
    >>> model.tokenizer.decode(found[0, len(ids):])
    ' the sea.'

How far that is from standard attention, and a blend of both:

    >>> run = hsa.agreement(model, field, plan.with_beta(0.5), model.tokenize(prompt))
    >>> bool(run.kl_nats.mean() < 0.1), bool(run.top_match.float().mean() > 0.9)
    (True, True)

Other models: `load` takes a hub id or a folder, `adopt` a transformers model that is already
there, and `fit` makes a field from texts. Every refusal is an `HSAError` that says what to try.
Nothing is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsa.errors import FieldError, HSAError, InputError, ModelError
    from hsa.field.checkpoint import load_field, save_field
    from hsa.fitting.fit import fit
    from hsa.fitting.settings import FitSettings, Text
    from hsa.inference.agreement import agreement
    from hsa.inference.guard import Guard
    from hsa.inference.hsa_program import HSAProgram
    from hsa.inference.plan import RunPlan, read_everything, run_plan
    from hsa.inference.shipped import shipped_field
    from hsa.inference.transition import TransitionController
    from hsa.inference.write import write
    from hsa.models.adopt import adopt
    from hsa.models.capture import capture
    from hsa.models.loading import load
    from hsa.models.program import running
    from hsa.models.splat_cache import splat_cache

__version__ = "0.1.0"

_HOMES = {
    "hsa.errors": ("FieldError", "HSAError", "InputError", "ModelError"),
    "hsa.field.checkpoint": ("load_field", "save_field"),
    "hsa.fitting.fit": ("fit",),
    "hsa.fitting.settings": ("FitSettings", "Text"),
    "hsa.inference.agreement": ("agreement",),
    "hsa.inference.guard": ("Guard",),
    "hsa.inference.hsa_program": ("HSAProgram",),
    "hsa.inference.plan": ("RunPlan", "read_everything", "run_plan"),
    "hsa.inference.shipped": ("shipped_field",),
    "hsa.inference.transition": ("TransitionController",),
    "hsa.inference.write": ("write",),
    "hsa.models.adopt": ("adopt",),
    "hsa.models.capture": ("capture",),
    "hsa.models.loading": ("load",),
    "hsa.models.program": ("running",),
    "hsa.models.splat_cache": ("splat_cache",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "FieldError",
    "FitSettings",
    "Guard",
    "HSAError",
    "HSAProgram",
    "InputError",
    "ModelError",
    "RunPlan",
    "Text",
    "TransitionController",
    "adopt",
    "agreement",
    "capture",
    "fit",
    "load",
    "load_field",
    "read_everything",
    "run_plan",
    "running",
    "save_field",
    "shipped_field",
    "splat_cache",
    "write",
]


def __getattr__(name: str) -> object:
    """A public name, imported when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'hsa' has no attribute {name!r}")
    found = getattr(import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
