"""Where the attributes of splats come from: a list of sources, each for one key/value head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pages.ui import adapt_run, atlas_use, choices, engine, health_look, served
from pages.ui.case import Case

if TYPE_CHECKING:
    from hsa.atlas.attributes import Attribute
    from hsa.models.loaded import LoadedModel
    from pages.ui.waiting import Progress

ERROR_UNASKED = 512
"""Tokens of a text up to which errors are measured without being asked for."""


@dataclass(frozen=True)
class AtlasHead:
    """One key/value head whose splats are shown, of the case if there is a prompt.

    Attributes:
        head: the query head chosen, if it is one of those that read this key/value head.
    """

    asked: Case | None
    loaded: LoadedModel
    ready: engine.ReadyField
    layer: int
    group: int
    head: int | None

    @property
    def key(self) -> tuple:
        """Names what its attributes depend on, but for what the visitor colours by."""
        prompt = () if self.asked is None else self.asked.key
        measured = (
            served.known(self.loaded, self.ready, self.layer, say=False) is not None,
            health_look.known(self.ready, self.layer) is not None,
        )
        return (self.ready.identity, self.layer, self.group, self.head, measured, *prompt)


Source = Callable[[AtlasHead, "Progress"], Sequence["Attribute"]]


def attributes(at: AtlasHead, progress: Progress) -> tuple[Attribute, ...]:
    """All that is known of the splats of this head, source by source."""
    return tuple(attribute for source in SOURCES for attribute in source(at, progress))


def _of_the_field(at: AtlasHead, progress: Progress) -> Sequence[Attribute]:
    from hsa.atlas.attributes import field_attributes

    return field_attributes(at.ready.field.heads[at.layer][at.group])


def _which_head(at: AtlasHead, progress: Progress) -> Sequence[Attribute]:
    from hsa.atlas.attributes import Attribute

    if not choices.BESIDE.value and choices.PAINT.value != "head":
        return ()
    name = f"layer {at.layer}, head {at.group}"
    splats = at.ready.field.heads[at.layer][at.group].splats
    return (
        Attribute(
            "head", "Key/value head", "The head that a splat belongs to.", (name,) * splats
        ),
    )  # fmt: skip


def _of_the_prompt(at: AtlasHead, progress: Progress) -> Sequence[Attribute]:
    from hsa.atlas.attributes import Attribute

    if at.asked is None:
        return ()
    use = atlas_use.splat_use(at.asked, at.layer, at.group, progress)
    return (
        Attribute(
            "mass", "Mass in this prompt",
            "Share of standard attention that the splat's keys receive, mean over all queries "
            "and the query heads that read this key/value head. Near keys are counted too.",
            use.mass, unit="share", log=True,
        ),
        Attribute(
            "keys", "Keys in this prompt", "How many tokens of this prompt it holds.",
            use.keys.float(), unit="keys", log=True,
        ),
    )  # fmt: skip


def _of_hsa(at: AtlasHead, progress: Progress) -> Sequence[Attribute]:
    """The error, which in longer texts is unknown until the visitor asks for it."""
    import torch

    from hsa.atlas.attributes import Attribute

    if at.asked is None or at.head is None or len(at.asked.tokens) > atlas_use.MOST_FOR_ERROR:
        return ()
    given = at.asked.activations(at.layer, progress)
    if given.sliding_window is not None and given.sliding_window < given.tokens:
        return ()  # HSA refuses such a layer; all else of the atlas can be told.
    if _errors_asked_for() or len(at.asked.tokens) <= ERROR_UNASKED:
        errors = atlas_use.splat_errors(at.asked, at.layer, at.head, progress)
    else:
        errors = torch.full((at.ready.field.heads[at.layer][at.group].splats,), torch.nan)
    return (
        Attribute(
            "error", f"Error in this prompt, query head {at.head}",
            "How far HSA's weights of the splat's keys move the head's output away from standard "
            "attention's, relative to it: √(Σ‖Σ (Â − A) v‖² / Σ‖o‖²).",
            errors, unit="share", log=True,
        ),
    )  # fmt: skip


def errors_wanted(known: Sequence[Attribute]) -> bool:
    """Whether errors are asked for and could be measured, but are not known yet."""
    return _errors_asked_for() and any(
        attribute.name == "error" and bool(attribute.numbers.isnan().all()) for attribute in known
    )


def _errors_asked_for() -> bool:
    return "error" in (choices.PAINT.value, choices.ATTRIBUTE.value)


def _of_your_run(at: AtlasHead, progress: Progress) -> Sequence[Attribute]:
    """Age, where this visitor adapted the field and so knows when each splat was born."""
    import torch

    from hsa.atlas.attributes import Attribute

    run = adapt_run.current()
    if at.ready.origin != "adapted here" or run is None or run.adapted is not at.ready:
        return ()
    if (at.layer, at.group) not in run.heads or not run.records:
        return ()
    film = run.film(at.layer, at.group).recording
    last = len(film.step_names) - 1
    age = {
        splat: last - born
        for splat, born in zip(film.splat_id.tolist(), film.born.tolist(), strict=True)
    }
    ids = at.ready.field.heads[at.layer][at.group].splat_id.tolist()
    return (
        Attribute(
            "age", "Age",
            f"Texts of your run that the splat has lived through; {last} if it was there before.",
            torch.tensor([float(age.get(splat, torch.nan)) for splat in ids]), unit="texts",
        ),
    )  # fmt: skip


def _of_functions(at: AtlasHead, progress: Progress) -> Sequence[Attribute]:
    """What each splat is known to serve, for the query head chosen or the group's first."""
    import torch

    from hsa.atlas.attributes import Attribute

    size = at.loaded.query_heads // at.loaded.key_value_heads
    head = at.group * size if at.head is None else at.head
    found = served.known(at.loaded, at.ready, at.layer)
    if found is None or at.layer not in found.layers:
        return ()
    best = found.labels(at.layer, head)
    ids = at.ready.field.heads[at.layer][at.group].splat_id.tolist()
    return (
        Attribute(
            "function", "Function",
            "What tells most of the splat among the functions that it is known to serve, on "
            f"reference texts, for query head {head}.",
            tuple(best[splat].name if splat in best else "" for splat in ids),
        ),
        Attribute(
            "function_bits", "Strength of its function",
            "What that function tells of the splat, per key held or unit of attention carried.",
            torch.tensor([best[splat].bits if splat in best else 0.0 for splat in ids]),
            unit="bits",
        ),
    )  # fmt: skip


def _of_health(at: AtlasHead, progress: Progress) -> Sequence[Attribute]:
    """What stands out in each splat, where its layer was looked over on the Health page."""
    from hsa.atlas.attributes import Attribute

    found = health_look.known(at.ready, at.layer)
    if found is None:
        return ()
    gravest: dict[int, str] = {}
    for flag in found.heads[at.group].flags:
        gravest.setdefault(flag.splat_id, flag.kind)
    ids = at.ready.field.heads[at.layer][at.group].splat_id.tolist()
    return (
        Attribute(
            "flag", "Flag", "What stands out badly in it, as the Health page says of this layer.",
            tuple(gravest.get(splat, "") for splat in ids),
        ),
    )  # fmt: skip


# A line here is all that another attribute needs.
SOURCES: tuple[Source, ...] = (
    _of_the_field, _which_head, _of_functions, _of_health, _of_the_prompt, _of_hsa, _of_your_run,
)  # fmt: skip
