"""What the visitor has chosen: kept for the session across pages, and in the address.

Each choice lives under its own session key, apart from any widget, for widgets are forgotten
on pages that do not show them. The address holds only what differs from the default, so that
a link restores the page; nonsense in it becomes a notice and the default.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args

import streamlit as st

from hsa.inference.writing import Writing
from pages.ui import chosen_case, long_texts, readers
from pages.ui.plain import plain, sendable
from pages.ui.samples import SAMPLES, sample_text

T = TypeVar("T")

Way = Literal["field", "per_head", "per_query", "uniform"]
Scale = Literal["linear", "gamma", "log"]
Measure = Literal["weight", "contribution"]
Opening = Literal["query", "block"]
Opens = Literal["query", "block", "mixed"]
View = Literal["continue", "chat"]
Part = Literal["watch", "run", "gain"]
Shape = Literal["map", "icicle", "sunburst"]
Layout = Literal["umap", "pca"]
Arranged = Literal["beside", "over"]
Group = Literal["token", "word", "chunk", "sentence"]

_RESTORED = "choices-restored"
_NOTICES = "choices-notices"


@dataclass(frozen=True)
class Choice(Generic[T]):
    """One thing that can be chosen.

    Attributes:
        name: of its parameter in the address.
        read: the value that a parameter means; raises ValueError for nonsense.
        needed: what `read` takes, in the visitor's words.
        write: the parameter that means a value.
    """

    name: str
    default: T
    read: Callable[[str], T]
    needed: str
    write: Callable[[T], str] = str

    @property
    def value(self) -> T:
        """What is chosen now."""
        return st.session_state.get(f"chosen-{self.name}", self.default)

    def choose(self, value: T) -> None:
        """Choose, and put it into the address."""
        st.session_state[_NOTICES] = []
        _set(self, value)

    def widget(self, *, suffix: str = "") -> dict[str, Any]:
        """`key` and `on_change` of a Streamlit widget that shows and changes this choice."""
        key = f"ask-{self.name}{suffix}"
        # Assigned only when it differs, so that a rerun never takes back what is being typed.
        if key not in st.session_state or st.session_state[key] != self.value:
            st.session_state[key] = self.value

        def heard() -> None:
            self.choose(st.session_state[key])

        return {"key": key, "on_change": heard}


MOST_READS = 1_000_000


def _pair_text(pair: tuple[int, int] | None) -> str:
    return "" if pair is None else f"{pair[0]},{pair[1]}"


MODEL: Choice[str] = Choice("model", "smollm2", readers.name, "a model's name, hub id or folder")
SAMPLE: Choice[str] = Choice("sample", "", readers.one_of(*SAMPLES), "the name of a sample")
TEXT: Choice[str] = Choice(
    "text", "", long_texts.read, "a text that this server still has", long_texts.write
)
READS: Choice[int | None] = Choice(
    "reads", None, readers.whole(1, MOST_READS), f"a whole number from 1 to {MOST_READS:,}"
)
WAY: Choice[Way] = Choice(
    "spend", "field", readers.one_of(*get_args(Way)), ", ".join(get_args(Way))
)
LAYER: Choice[int] = Choice("layer", 0, readers.whole(0, 10_000), "a layer's number, from 0")
HEAD: Choice[int] = Choice("head", 0, readers.whole(0, 10_000), "a head's number, from 0")
COLOUR: Choice[str] = Choice("colour", "agreement", readers.name, "the name of a score")
SCALE: Choice[Scale] = Choice(
    "scale", "linear", readers.one_of(*get_args(Scale)), ", ".join(get_args(Scale))
)
HIDE_FIRST: Choice[bool] = Choice(
    "hide_first", False, lambda text: readers.one_of("yes", "no")(text) == "yes", "yes or no",
    lambda value: "yes" if value else "no",
)  # fmt: skip
MEASURE: Choice[Measure] = Choice(
    "measure", "weight", readers.one_of(*get_args(Measure)), ", ".join(get_args(Measure))
)
OPENING: Choice[Opening] = Choice(
    "opening", "query", readers.one_of(*get_args(Opening)), ", ".join(get_args(Opening))
)
CELL: Choice[tuple[int, int] | None] = Choice(
    "cell", None, readers.pair, "two positions, query,key",
    _pair_text,
)  # fmt: skip
GROUP: Choice[Group] = Choice(
    "group", "token", readers.one_of(*get_args(Group)), ", ".join(get_args(Group))
)
FROM: Choice[int | None] = Choice(
    "from", None, readers.whole(0, 1_000_000), "the first position to show in the maps"
)
VIEW: Choice[View] = Choice(
    "view", "continue", readers.one_of(*get_args(View)), ", ".join(get_args(View))
)
NEW: Choice[int] = Choice(
    "new", Writing.most, readers.whole(1, 512), "a whole number from 1 to 512"
)
TEMPERATURE: Choice[float] = Choice(
    "temperature", Writing.temperature, *readers.bounded("temperature"), "{:g}".format
)
SEED: Choice[int] = Choice(
    "seed", Writing.seed, readers.whole(0, 2**31 - 1), "a whole number from 0"
)
EVERYTHING: Choice[int | None] = Choice(
    "everything", None, readers.whole(1, MOST_READS), f"a whole number from 1 to {MOST_READS:,}"
)
OPENS: Choice[Opens] = Choice(
    "opens", "query", readers.one_of(*get_args(Opens)), ", ".join(get_args(Opens))
)
BETA: Choice[float] = Choice("beta", Writing.beta, *readers.bounded("beta"), "{:g}".format)
LAYER_BETA: Choice[tuple[tuple[int, float], ...]] = Choice(
    "layer_beta", (), readers.layer_betas, "layers and their β, 3:0.5,7:0",
    lambda pairs: ",".join(f"{layer}:{beta:g}" for layer, beta in pairs),
)  # fmt: skip
PART: Choice[Part] = Choice(
    "part", "watch", readers.one_of(*get_args(Part)), ", ".join(get_args(Part))
)
FILM: Choice[tuple[int, int] | None] = Choice(
    "film", None, readers.pair, "a layer and a key/value head, 8,2",
    _pair_text,
)  # fmt: skip
STEP: Choice[int] = Choice("step", 0, readers.whole(0, 1_000_000), "a step of the film, from 0")
SPLAT: Choice[int | None] = Choice("splat", None, readers.whole(0, 2**31 - 1), "the id of a splat")
FUNCTION: Choice[str] = Choice("function", "", readers.name, "the name of a function of splats")
BESIDE: Choice[tuple[tuple[int, int], ...]] = Choice(
    "beside", (), readers.heads, "layers and key/value heads, 3.0,3.1",
    lambda heads: ",".join(f"{layer}.{group}" for layer, group in heads),
)  # fmt: skip
ARRANGED: Choice[Arranged] = Choice(
    "arranged", "beside", readers.one_of(*get_args(Arranged)), ", ".join(get_args(Arranged))
)
SHAPE: Choice[Shape] = Choice(
    "shape", "map", readers.one_of(*get_args(Shape)), ", ".join(get_args(Shape))
)
LAYOUT: Choice[Layout] = Choice(
    "layout", "umap", readers.one_of(*get_args(Layout)), ", ".join(get_args(Layout))
)
PAINT: Choice[str] = Choice("paint", "level", readers.name, "the name of an attribute of splats")
ATTRIBUTE: Choice[str] = Choice(
    "attribute", "spread", readers.name, "the name of an attribute of splats"
)
RANGE: Choice[tuple[float, float] | None] = Choice(
    "range", None, readers.span, "two numbers, the smaller first: 0.5..2",
    lambda span: "" if span is None else f"{span[0]:.6g}..{span[1]:.6g}",
)  # fmt: skip
ONLY: Choice[tuple[str, ...]] = Choice("only", (), readers.names, "names, one|two", "|".join)
LEVELS: Choice[tuple[str, ...]] = Choice(
    "levels", readers.LEVELS, readers.levels, " or ".join(readers.LEVELS), "|".join
)
FIND: Choice[str] = Choice("find", "", readers.name, "a piece of a token")
REFERENCE: Choice[chosen_case.ChosenCase | None] = Choice(
    "reference", None,
    lambda text: chosen_case.read(text, (MODEL.read, SAMPLE.read, TEXT.read, READS.read, WAY.read)),
    "what Copy link writes for a pinned reference, while this server has its text",
    chosen_case.write,
)  # fmt: skip
DIFFERENCE: Choice[bool] = Choice(
    "difference", False, lambda text: readers.one_of("yes", "no")(text) == "yes", "yes or no",
    lambda value: "yes" if value else "no",
)  # fmt: skip

ALL: tuple[Choice[Any], ...] = (
    MODEL, SAMPLE, TEXT, READS, WAY, LAYER, HEAD, COLOUR, SCALE, HIDE_FIRST, MEASURE, CELL, GROUP,
    FROM, OPENING, VIEW, NEW, TEMPERATURE, SEED, EVERYTHING, OPENS, BETA, LAYER_BETA,
    PART, FILM, STEP, SPLAT, FUNCTION,
    BESIDE, ARRANGED, SHAPE, LAYOUT, PAINT, ATTRIBUTE, RANGE, ONLY, LEVELS, FIND,
    REFERENCE, DIFFERENCE,
)  # fmt: skip


def prompt_text() -> str:
    """The text to read: the sample chosen, or the visitor's own."""
    return sample_text(SAMPLE.value) if SAMPLE.value else TEXT.value


def choose_text(text: str) -> None:
    """Read the visitor's own text in place of a sample; cells of the old one are let go."""
    SAMPLE.choose("")
    TEXT.choose(sendable(text))
    CELL.choose(None)
    _say_if_cleaned(text)


def choose_sample(name: str) -> None:
    """Read a sample ("" for none) in place of the visitor's own text."""
    TEXT.choose("")
    SAMPLE.choose(name)
    CELL.choose(None)


def within(choice: Choice[int], count: int) -> int:
    """The choice if it is below `count`; otherwise its default, and the page says so here."""
    return _possible(choice, choice.value < count, f"0 to {count - 1}")


def among(choice: Choice[str], names: Collection[str]) -> str:
    """The choice if it is one of the names; otherwise its default, and the page says so here."""
    return _possible(choice, choice.value in names, ", ".join(names))


def _possible(choice: Choice[T], possible: bool, needed: str) -> T:
    if not possible:
        got = choice.value
        _set(choice, choice.default)
        st.warning(
            plain(
                f"There is no {choice.name} {got!s} here. Needed: {needed}. "
                f"Shown: {choice.name} {choice.default!s}."
            )
        )
    return choice.value


def restore() -> None:
    """Take the choices from the address, once per session."""
    if st.session_state.get(_RESTORED):
        return
    st.session_state[_RESTORED] = True
    st.session_state.setdefault(_NOTICES, [])
    for choice in ALL:
        given = st.query_params.get(choice.name)
        if given is None:
            continue
        try:
            st.session_state[f"chosen-{choice.name}"] = choice.read(given)
            _say_if_cleaned(given)
        except ValueError:
            notify(
                f"The address says {choice.name}={given[:60]!r}, which means nothing here. "
                f"Needed: {choice.needed}. The default is used."
            )


def _set(choice: Choice[Any], value: Any) -> None:
    st.session_state[f"chosen-{choice.name}"] = value
    keep_in_address()


def keep_in_address() -> None:
    """Write what differs from the defaults into the address, if it is not there yet."""
    wanted = parameters()
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)


def parameters() -> dict[str, str]:
    """What the address says: all that differs from the defaults."""
    return {
        choice.name: choice.write(choice.value) for choice in ALL if choice.value != choice.default
    }


def _say_if_cleaned(text: str) -> None:
    if sendable(text) != text:
        notify(
            "The text held NUL characters or halves of characters (lone surrogates), which no "
            "page can show: NUL was left out, halves are shown as \ufffd."
        )


def notify(sentence: str) -> None:
    """Show a sentence on top of the page until the visitor chooses something."""
    notices = st.session_state.setdefault(_NOTICES, [])
    if sentence not in notices:
        notices.append(sentence)


def notices() -> tuple[str, ...]:
    """The sentences to show."""
    return tuple(st.session_state.get(_NOTICES, ()))
