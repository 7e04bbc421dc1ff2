"""Cached doors to the engine, shared by all visitors and keyed by content.

Every door tells the visitor's cost drawer what it took.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from hsa.memory.available import available_bytes
from pages.ui import cost, own_field, preload
from pages.ui.stores import stores
from pages.ui.waiting import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from hsa.activations import Activations
    from hsa.attention.spending import Spending
    from hsa.evaluation.head_grid import HeadGrid
    from hsa.field.model_field import ModelField
    from hsa.models.loaded import LoadedModel
    from hsa.tokens import Tokens

V = TypeVar("V")

Origin = Literal["shipped", "fitted here", "adapted here", "from a file"]

FORWARD, GRID = "Forward pass", "Both attentions, all heads"


@dataclass(frozen=True)
class ReadyField:
    """A field with the name of its content, by which results made with it are kept."""

    field: ModelField
    origin: Origin
    identity: str


def model(name: str, progress: Progress) -> LoadedModel:
    """The model, loaded once for all visitors.

    Raises:
        ModelError: unknown, unreachable, damaged or unsupported.
    """
    if name not in stores()["models"]:
        progress("Starting the engine", None)

    def make() -> LoadedModel:
        from hsa.models.loading import load

        loaded = load(name, progress=progress)
        preload.settle()
        return loaded

    return _kept("models", name, "Loading the model", make)


def tokens(loaded: LoadedModel, text: str) -> Tokens:
    """The text as the model reads it.

    Raises:
        InputError: there is nothing in it to read.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    key = (loaded.fingerprint, digest)
    return _kept("tokens", key, "Tokens", lambda: loaded.tokenize(text))


def field(loaded: LoadedModel, progress: Progress) -> ReadyField:
    """The model's field: the visitor's own, or the one fitted here, or else the shipped one.

    Raises:
        FieldError: none ships with this model, or it is damaged.
    """
    own = own_field.of(loaded.fingerprint)
    if own is not None:
        return own
    fitted = _known("fields", (loaded.fingerprint, "fitted here"))
    if fitted is not None:
        return fitted
    if (loaded.fingerprint, "shipped") not in stores()["fields"]:
        progress(f"Reading the field of {loaded.title}", None)
    return shipped(loaded.name, loaded.fingerprint)


def shipped(name: str, fingerprint: str) -> ReadyField:
    """The field that ships with a model, whether or not the model is loaded.

    Raises:
        FieldError: none ships with this model, or it is damaged.
    """

    def make() -> ReadyField:
        from hsa.field.shipped import shipped_field

        return named(shipped_field(name, fingerprint), "shipped")

    return _kept("fields", (fingerprint, "shipped"), "Reading the field", make)


def ships_a_field(loaded: LoadedModel) -> bool:
    """Whether a field comes with this model, sound or not."""
    from hsa.field.shipped import has_shipped_field

    return has_shipped_field(loaded.name)


def fit_small_field(loaded: LoadedModel, progress: Progress) -> ReadyField:
    """Fit a small field on the sample texts, and use it for this model from now on."""
    from pages.ui.small_fit import fit_small

    with cost.current().step("Fitting a field"):
        fitted = named(fit_small(loaded, progress), "fitted here")
    stores()["fields"].put((loaded.fingerprint, "fitted here"), fitted)
    return fitted


def activations(loaded: LoadedModel, text: Tokens, layer: int, progress: Progress) -> Activations:
    """Queries, keys and values of one layer; of all layers at once where they fit."""

    def make() -> Activations:
        found: list[Activations] = []

        def take(number: int, given: Activations) -> None:
            progress(
                f"Reading the text: layer {number + 1} of {loaded.layers}", number / loaded.layers
            )
            if number == layer:
                found.append(given)
            else:
                _keep_layer(loaded, text, number, given)

        _capture(loaded, text, range(loaded.layers) if _all_fit(loaded, text) else (layer,), take)
        return found[0]

    return _kept("layers", (loaded.fingerprint, text.ids, layer), FORWARD, make)


def spending(ready: ReadyField, reads: int, count: int, way: str | None) -> tuple[Spending, ...]:
    """Reads of every head of every layer for a text of `count` tokens."""
    from hsa.attention.spending import spend

    key = ("spending", ready.identity, reads, count, way)
    return _kept("results", key, "Spending reads", lambda: spend(ready.field, reads, count, way))


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
                _keep_layer(loaded, text, number, given)
            progress(f"Both attentions: layer {number + 1} of {loaded.layers}",
                     number / loaded.layers)  # fmt: skip
            with cost.current().step(GRID):
                rows.append(
                    layer_scores(given, ready.field.layer(number), spent[number], text.ids, queries)
                )

        names = [(loaded.fingerprint, text.ids, number) for number in range(loaded.layers)]
        found = [_known("layers", name) for name in names if name in stores()["layers"]]
        whole = [layer for layer in found if layer is not None]
        if len(whole) == loaded.layers:
            for number, layer in enumerate(whole):
                take(number, layer)
        else:
            with cost.current().step(FORWARD):
                _capture(loaded, text, range(loaded.layers), take)
        return gather(rows, queries, len(text))

    return _kept("grids", ("grid", ready.identity, *key), GRID, make)


def kept_grid(ready: ReadyField, key: tuple) -> HeadGrid | None:
    """The grid, if it was made before."""
    return _known("grids", ("grid", ready.identity, *key))


def kept(key: tuple, step: str, make: Callable[[], V]) -> V:
    """Any other result of a page, kept by its bytes; `key` must name all that it depends on.

    Args:
        step: what making it is called in the cost drawer.
    """
    return _kept("results", key, step, make)


def kept_before(key: tuple) -> Any:
    """What `kept` keeps under this key, or None."""
    return _known("results", key)


def _kept(store: str, key: Hashable, step: str, make: Callable[[], V]) -> V:
    """The value kept under this key, made first if there is none; the visitor's cost is told."""
    record = cost.current()
    found = True

    def counted() -> V:
        nonlocal found
        found = False
        with record.step(step):
            return make()

    value = stores()[store].get(key, counted)
    record.asked(found=found)
    return value


def _known(store: str, key: Hashable) -> Any:
    """The value kept under this key, or None, which costs nothing."""
    value = stores()[store].peek(key)
    if value is not None:
        cost.current().asked(found=True)
    return value


def named(made: ModelField, origin: Origin) -> ReadyField:
    """The field with the name of its content."""
    from hsa.memory.content import content_key

    return ReadyField(made, origin, content_key(made))


def _keep_layer(loaded: LoadedModel, text: Tokens, number: int, given: Activations) -> None:
    stores()["layers"].put((loaded.fingerprint, text.ids, number), given)


def _all_fit(loaded: LoadedModel, text: Tokens) -> bool:
    """Whether all layers of this text take at most half of what may be kept, and of memory left."""
    heads = loaded.query_heads + 2 * loaded.key_value_heads
    bytes_needed = 4 * loaded.layers * heads * loaded.head_dim * len(text)
    return bytes_needed <= min(stores()["layers"].capacity, available_bytes()) // 2


def _capture(loaded: LoadedModel, text: Tokens, layers: Iterable[int], take: Any) -> None:
    from hsa.models.capture import capture

    capture(loaded, text, layers=list(layers), consumer=take)
