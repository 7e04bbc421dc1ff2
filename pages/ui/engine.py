"""Cached doors to the engine, shared by all visitors and keyed by content.

Every store is bounded: a model counts as one, captured layers and results by their bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from pages.ui import preload
from pages.ui.store import Store
from pages.ui.waiting import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hsa.activations import Activations
    from hsa.attention.result import HSAResult
    from hsa.attention.spending import Spending
    from hsa.evaluation.head_grid import HeadGrid
    from hsa.field.model_field import ModelField
    from hsa.models.loaded import LoadedModel
    from hsa.tokens import Tokens

MODELS_KEPT = 3
FIELDS_KEPT = 4
CAPTURE_BYTES = 512_000_000
RESULT_BYTES = 256_000_000
GRIDS_KEPT = 64
TOKENS_KEPT = 64


@dataclass(frozen=True)
class ReadyField:
    """A field with the name of its content, by which results made with it are kept."""

    field: ModelField
    origin: Literal["shipped", "fitted here"]
    identity: str


@st.cache_resource(max_entries=1, show_spinner=False)
def _stores() -> dict[str, Store[Any]]:
    return {
        "models": Store(MODELS_KEPT, lambda model: 1),
        "tokens": Store(TOKENS_KEPT, lambda tokens: 1),
        "fields": Store(FIELDS_KEPT, lambda field: 1),
        "layers": Store(CAPTURE_BYTES, bytes_of),
        "results": Store(RESULT_BYTES, bytes_of),
        "grids": Store(GRIDS_KEPT, lambda grid: 1),
    }


def model(name: str, progress: Progress) -> LoadedModel:
    """The model, loaded once for all visitors.

    Raises:
        ModelError: unknown, unreachable, damaged or unsupported.
    """
    kept = _stores()["models"].peek(name)
    if kept is None:
        progress("Starting the engine", None)

    def make() -> LoadedModel:
        from hsa.models.loading import load

        loaded = load(name, progress=progress)
        preload.settle()
        return loaded

    return _stores()["models"].get(name, make)


def tokens(loaded: LoadedModel, text: str) -> Tokens:
    """The text as the model reads it.

    Raises:
        InputError: there is nothing in it to read.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    key = (loaded.fingerprint, digest)
    return _stores()["tokens"].get(key, lambda: loaded.tokenize(text))


def field(loaded: LoadedModel, progress: Progress) -> ReadyField:
    """The model's field: the one fitted here, if there is one, or else the shipped one.

    Raises:
        FieldError: none ships with this model, or it is damaged.
    """
    from hsa.field.shipped import shipped_field

    fitted = _stores()["fields"].peek((loaded.fingerprint, "fitted here"))
    if fitted is not None:
        return fitted

    def make() -> ReadyField:
        progress(f"Reading the field of {loaded.title}", None)
        return _named(shipped_field(loaded.name, loaded.fingerprint), "shipped")

    return _stores()["fields"].get((loaded.fingerprint, "shipped"), make)


def ships_a_field(loaded: LoadedModel) -> bool:
    """Whether a field comes with this model, sound or not."""
    from hsa.field.shipped import has_shipped_field

    return has_shipped_field(loaded.name)


def fit_small_field(loaded: LoadedModel, progress: Progress) -> ReadyField:
    """Fit a small field on the sample texts, and use it for this model from now on."""
    from pages.ui.small_fit import fit_small

    fitted = _named(fit_small(loaded, progress), "fitted here")
    _stores()["fields"].put((loaded.fingerprint, "fitted here"), fitted)
    return fitted


def activations(loaded: LoadedModel, text: Tokens, layer: int, progress: Progress) -> Activations:
    """Queries, keys and values of one layer; of all layers at once where they fit."""
    kept = _stores()["layers"].peek((loaded.fingerprint, text.ids, layer))
    if kept is not None:
        return kept
    layers = range(loaded.layers) if _all_fit(loaded, text) else (layer,)
    found: dict[int, Activations] = {}

    def take(number: int, given: Activations) -> None:
        progress(f"Reading the text: layer {number + 1} of {loaded.layers}", number / loaded.layers)
        _stores()["layers"].put((loaded.fingerprint, text.ids, number), given)
        if number == layer:
            found[number] = given

    _capture(loaded, text, layers, take)
    return found[layer]


def head_activations(given: Activations, head: int) -> Activations:
    """One query head of a layer with its key/value head."""
    from dataclasses import replace

    group = head // given.group
    return replace(
        given,
        q=given.q[head : head + 1],
        k=given.k[group : group + 1],
        v=given.v[group : group + 1],
    )


def spending(ready: ReadyField, reads: int, count: int, way: str | None) -> tuple[Spending, ...]:
    """Reads of every head of every layer for a text of `count` tokens."""
    from hsa.attention.spending import spend

    key = ("spending", ready.identity, reads, count, way)
    return _stores()["results"].get(key, lambda: spend(ready.field, reads, count, way))


def head_result(
    given: Activations,
    ready: ReadyField,
    spent: tuple[Spending, ...],
    layer: int,
    head: int,
    key: tuple,
) -> HSAResult:
    """HSA of one head for every query, as `hsa.attention.reference.attend` gives it.

    Args:
        given: the whole layer's activations.
        key: what the result depends on, besides field, layer and head: model, ids, reads, way.
    """

    def make() -> HSAResult:
        from hsa.attention.reference import attend

        group, member = divmod(head, given.group)
        one = ready.field.layer(layer).group(group, slice(member, member + 1))
        return attend(head_activations(given, head), one, spent[layer].heads(slice(head, head + 1)))

    return _stores()["results"].get(("head", ready.identity, layer, head, *key), make)


def head_grid(
    loaded: LoadedModel,
    text: Tokens,
    ready: ReadyField,
    spent: tuple[Spending, ...],
    key: tuple,
    progress: Progress,
) -> HeadGrid:
    """Every head of every layer in numbers; the maps themselves are not kept."""

    def make() -> HeadGrid:
        from hsa.evaluation.head_grid import gather, grid_queries, layer_scores

        queries = grid_queries(len(text), loaded.causal)
        rows = []
        keep = _all_fit(loaded, text)

        def take(number: int, given: Activations) -> None:
            if keep:
                _stores()["layers"].put((loaded.fingerprint, text.ids, number), given)
            progress(f"Both attentions: layer {number + 1} of {loaded.layers}",
                     number / loaded.layers)  # fmt: skip
            rows.append(
                layer_scores(given, ready.field.layer(number), spent[number], text.ids, queries)
            )

        kept = [
            _stores()["layers"].peek((loaded.fingerprint, text.ids, number))
            for number in range(loaded.layers)
        ]
        found = [layer for layer in kept if layer is not None]
        if len(found) == loaded.layers:
            for number, layer in enumerate(found):
                take(number, layer)
        else:
            _capture(loaded, text, range(loaded.layers), take)
        return gather(rows, queries, len(text))

    return _stores()["grids"].get(("grid", ready.identity, *key), make)


def kept_grid(ready: ReadyField, key: tuple) -> HeadGrid | None:
    """The grid, if it was made before."""
    return _stores()["grids"].peek(("grid", ready.identity, *key))


def kept(key: tuple, make: Any) -> Any:
    """Any other result of a page, kept by its bytes; `key` must name all that it depends on."""
    return _stores()["results"].get(key, make)


def bytes_of(value: Any) -> int:
    """Bytes of the tensors, arrays and texts in a result, at least one."""
    if isinstance(value, bytes | str):
        return len(value)
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    if is_dataclass(value):
        return 1 + sum(bytes_of(getattr(value, part.name)) for part in fields(value))
    if isinstance(value, dict):
        return 1 + sum(map(bytes_of, value.values()))
    if isinstance(value, list | tuple):
        return 1 + sum(map(bytes_of, value))
    return 1


def _named(made: ModelField, origin: Literal["shipped", "fitted here"]) -> ReadyField:
    digest = hashlib.blake2b(digest_size=16)
    for heads in made.heads:
        for head in heads:
            digest.update(head.position.numpy().tobytes())
    for tensor in (made.temper, made.tilt):
        digest.update(tensor.numpy().tobytes())
    digest.update(repr((made.fingerprint, made.spending, made.positions)).encode())
    return ReadyField(made, origin, digest.hexdigest())


def _all_fit(loaded: LoadedModel, text: Tokens) -> bool:
    """Whether all layers of this text take at most half of what is kept of all visitors."""
    heads = loaded.query_heads + 2 * loaded.key_value_heads
    bytes_needed = 4 * loaded.layers * heads * loaded.head_dim * len(text)
    return bytes_needed <= CAPTURE_BYTES // 2


def _capture(loaded: LoadedModel, text: Tokens, layers: Iterable[int], take: Any) -> None:
    from hsa.models.capture import capture

    capture(loaded, text, layers=list(layers), consumer=take)
