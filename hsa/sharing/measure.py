"""The numbers of a view, worked out from prompt, model and field alone.

The same function makes a bundle and verifies it, on one thread: how many threads share a sum of
floats may change its last bits, and with them what a query opens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.blocked_head import blocked_head
from hsa.attention.effective import cut_rows
from hsa.attention.one_thread import one_thread
from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.spending import Spending, spend
from hsa.attention.views import FramedLayer, into_layer
from hsa.errors import InputError
from hsa.evaluation.agreement import compare_head
from hsa.evaluation.head_grid import gather, grid_queries, layer_scores
from hsa.explanation.contributors import explain_row
from hsa.explanation.pair import explain_pair
from hsa.field.model_field import ModelField
from hsa.inference.plan import shared_blocks
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.sharing.numbers import GRID_SCORES, Number
from hsa.sharing.view import View
from hsa.tokens import Tokens

Progress = Callable[[str, float | None], None]
KINDS = ("near", "opened", "splat")


def measure(
    loaded: LoadedModel,
    field: ModelField,
    tokens: Tokens,
    view: View,
    progress: Progress = lambda sentence, fraction: None,
) -> tuple[Number, ...]:
    """Every number of the view.

    Raises:
        InputError: a layer, head, query or key that this text does not have, or a text that
            memory has no room for.
    """
    _check(loaded, tokens, view)
    spent = spend(field, view.reads, len(tokens), view.way)
    found: list[Number] = [_number("tokens", torch.tensor(tokens.ids))]
    grid: list = []
    queries = grid_queries(len(tokens), loaded.causal)

    def take(number: int, given: Activations) -> None:
        if number == view.layer:
            progress(f"Layer {number}, head {view.head}", None)
            found.extend(_of_head(given, field, tokens, view, spent[number], loaded.causal))
        if view.grid:
            progress(f"Both attentions: layer {number + 1} of {loaded.layers}",
                     number / loaded.layers)  # fmt: skip
            own = field.layer(number)
            grid.append(layer_scores(given, own, spent[number], tokens.ids, queries))

    progress("Reading the text", None)
    with one_thread():
        capture(loaded, tokens, range(loaded.layers) if view.grid else [view.layer], take)
    if view.grid:
        whole = gather(grid, queries, len(tokens))
        found += [_number(f"grid_{name}", getattr(whole, name)) for name in GRID_SCORES]
    return tuple(found)


def _check(loaded: LoadedModel, tokens: Tokens, view: View) -> None:
    for name, many in (("layer", loaded.layers), ("head", loaded.query_heads)):
        if getattr(view, name) >= many:
            raise InputError(
                f"{loaded.title} has no such {name}", got=getattr(view, name),
                needed=f"0 to {many - 1}",
            )  # fmt: skip
    shown = range(view.first, min(view.first + view.shown, len(tokens)))
    if len(shown) < view.shown or (view.query is not None and view.query not in shown):
        raise InputError(
            "This text has no such query",
            got=f"queries {view.first} to {view.first + view.shown - 1}, query {view.query}",
            needed=f"0 to {len(tokens) - 1}",
        )


def _of_head(
    given: Activations,
    field: ModelField,
    tokens: Tokens,
    view: View,
    spending: Spending,
    causal: bool,
) -> list[Number]:
    result, framed = _attended(given, field, tokens, view, spending, causal)
    compared = compare_head(result, framed)
    numbers = [
        _number("error", _exact(compared.error)),
        _number("opened_only_error", _exact(compared.opened_only_error)),
        _number("reads", compared.reads),
    ]
    if view.query is None or view.key is None:
        return numbers
    (cut,) = cut_rows(result, framed, 0, [view.query])
    place = view.query - view.first
    row = explain_row(result, framed, tokens.strings, 0, view.query)
    pair = explain_pair(result, framed, tokens.strings, 0, view.query, view.key)
    # By name, for equal weights have no order.
    members = sorted(row.members, key=lambda m: (KINDS.index(m.kind), m.level, m.identity))
    standard = cut.logits.masked_fill(~cut.visible, -torch.inf).softmax(1)
    return numbers + [
        _number(name, values)
        for name, values in {
            "standard_row": standard[0],
            "hsa_row": cut.weights()[0],
            "standard_output": compared.standard_output[place],
            "hsa_output": compared.hsa_output[place],
            "path": torch.tensor([splat.splat_id for splat in pair.path]),
            "shares": _exact([*(s.share for s in pair.path), pair.token_share]),
            "product": _exact(pair.product),
            "weight": _exact(pair.weight),
            "member_kind": torch.tensor([KINDS.index(member.kind) for member in members]),
            "member_identity": torch.tensor([member.identity for member in members]),
            "member_weight": _exact([member.weight for member in members]),
            "member_norm": _exact([member.norm for member in members]),
        }.items()
    ]


def _attended(
    given: Activations,
    field: ModelField,
    tokens: Tokens,
    view: View,
    spending: Spending,
    causal: bool,
) -> tuple[HSAResult, FramedLayer]:
    """The head alone, number 0 of the result, over the queries shown."""
    group, member = divmod(view.head, given.group)
    of_group = field.layer(view.layer).group(group)
    one = slice(group, group + 1)
    queries = torch.arange(view.first, view.first + view.shown)
    if view.opening == "block":
        blocks = shared_blocks(field, len(tokens), view.reads, causal)
        if blocks is not None:
            heads = slice(group * given.group, (group + 1) * given.group)
            own = replace(given, q=given.q[heads], k=given.k[one], v=given.v[one])
            found = blocked_head(own, of_group, blocks, member, queries)
            return found.blocked, found.framed
    alone = replace(given, q=given.q[view.head : view.head + 1], k=given.k[one], v=given.v[one])
    of_head = field.layer(view.layer).group(group, slice(member, member + 1))
    result = attend(alone, of_head, spending.heads(slice(view.head, view.head + 1)), queries)
    return result, into_layer(alone, of_head)


def _exact(values: float | list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _number(name: str, values: Tensor) -> Number:
    values = values.detach().cpu()
    return Number(name, values.double() if values.is_floating_point() else values.long())
