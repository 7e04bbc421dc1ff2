"""The measurement: every passage read once, the keys of each layer handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from hsa.activations import Activations
from hsa.field.model_field import ModelField
from hsa.models.cache import Progress
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.specialization.annotation import Annotation
from hsa.specialization.layer_keys import LayerKeys, Place, layer_keys
from hsa.specialization.passages import Passage
from hsa.specialization.strata import by_frequency, by_text, token_shares
from hsa.specialization.tally import BLOCKS


def places(corpus: Sequence[Passage]) -> list[Place]:
    """Texts alternate between the halves, or the passages of a single one are cut in the middle;
    each half falls into blocks of passages that follow each other.
    """
    several = len({passage.source for passage in corpus}) > 1
    order = {source: at for at, source in enumerate(dict.fromkeys(p.source for p in corpus))}
    halves = [
        order[passage.source] % 2 if several else int(2 * at >= len(corpus))
        for at, passage in enumerate(corpus)
    ]
    counts = [halves.count(half) for half in (0, 1)]
    seen, found = [0, 0], []
    for half in halves:
        found.append(Place(half, seen[half] * BLOCKS // counts[half]))
        seen[half] += 1
    return found


def measure(
    loaded: LoadedModel,
    field: ModelField,
    corpus: Sequence[Passage],
    annotations: Sequence[Annotation],
    layers: Sequence[int],
    take: Callable[[int, LayerKeys], None],
    progress: Progress | None = None,
) -> None:
    """Read every passage once and hand over the keys of the layers asked for.

    A splat holds the keys that are routed to it, and carries what standard attention gives them:
    the yardstick, whatever HSA would open.
    """
    shares = token_shares(corpus)
    fields = {layer: field.layer(layer) for layer in layers}
    for at, (passage, annotation, place) in enumerate(
        zip(corpus, annotations, places(corpus), strict=True)
    ):
        if progress is not None:
            progress(f"Passage {at + 1} of {len(corpus)}", at / len(corpus))
        strata = (by_text(passage, shares), by_frequency(passage, shares))

        def took(
            layer: int, given: Activations, passage: Passage = passage,
            annotation: Annotation = annotation, place: Place = place,
            strata: tuple[Tensor, Tensor] = strata,
        ) -> None:  # fmt: skip
            take(layer, layer_keys(fields[layer], given, passage, annotation, place, strata))

        capture(loaded, passage.tokens, layers, took)
