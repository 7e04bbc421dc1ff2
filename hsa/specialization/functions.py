"""The functions that a splat may serve: kinds of tokens that it holds, of pairs that it carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["token", "pair"]


@dataclass(frozen=True)
class Function:
    """One kind of token, or of pair (query → key).

    Attributes:
        name: stands in files and addresses.
        title: completes "holds …" for tokens and "carries …" for pairs.
        kind: what it is a property of.
        parsed: whether telling it needs the parser; the others are read off the tokens.
        positional: the position itself, so that keys are not compared within like positions.
    """

    name: str
    title: str
    kind: Kind
    parsed: bool = True
    positional: bool = False


def _tokens(parsed: bool, **titles: str) -> tuple[Function, ...]:
    return tuple(Function(name, title, "token", parsed) for name, title in titles.items())


PARTS_OF_SPEECH = {
    "NOUN": "nouns", "PROPN": "names", "PRON": "pronouns", "VERB": "verbs", "AUX": "auxiliaries",
    "ADJ": "adjectives", "ADV": "adverbs", "DET": "determiners", "ADP": "prepositions",
    "CCONJ": "coordinators", "SCONJ": "subordinators", "PART": "particles", "NUM": "numerals",
    "INTJ": "interjections",
}  # fmt: skip
"""Universal parts of speech, as the parser names them."""

ENTITIES = {
    "person": ("persons", ("PERSON",)),
    "organisation": ("organisations", ("ORG",)),
    "place": ("places", ("GPE", "LOC", "FAC")),
    "people": ("peoples and creeds", ("NORP",)),
    "quantity": ("quantities", ("CARDINAL", "ORDINAL", "QUANTITY", "PERCENT", "MONEY")),
    "thing": ("works, laws, events, products", ("WORK_OF_ART", "LAW", "EVENT", "PRODUCT")),
}
"""Kinds of entities, and the parser's labels of each; temporal ones stand apart."""

ROLES = {
    "subject": ("subjects", ("nsubj", "nsubjpass", "csubj", "csubjpass", "expl")),
    "object": ("objects", ("dobj", "dative", "oprd", "attr")),
    "complement": ("objects of prepositions", ("pobj", "pcomp")),
    "root": ("main verbs", ("ROOT",)),
    "clause": ("verbs of other clauses", ("advcl", "relcl", "acl", "ccomp", "xcomp", "parataxis")),
    "modifier": ("modifiers of nouns", ("amod", "nummod", "compound", "nmod", "appos")),
    "conjunct": ("conjuncts", ("conj",)),
}
"""What a word is in its sentence, by its dependency on its head."""

TOKEN_FUNCTIONS: tuple[Function, ...] = (
    *_tokens(
        False,
        comma="commas",
        stop="full stops, question and exclamation marks",
        quote="quotation marks",
        delimiter="colons, dashes, brackets",
        line_break="line breaks",
        continuation="continuations of a word",
        capital="capitalised words",
        digits="digits",
        repeated="tokens that stood earlier in the text",
        sentence_start="first tokens of sentences",
        sentence_end="last words of sentences",
    ),
    *(Function(tag.lower(), title, "token") for tag, title in PARTS_OF_SPEECH.items()),
    *(Function(name, title, "token") for name, (title, _) in ENTITIES.items()),
    *_tokens(True, temporal="expressions of time", date="dates and times that can be resolved"),
    *(Function(name, title, "token") for name, (title, _) in ROLES.items()),
    Function("early", "the text's beginning", "token", parsed=False, positional=True),
    Function("middle", "the text's middle", "token", parsed=False, positional=True),
    Function("late", "the text's end", "token", parsed=False, positional=True),
)

RELATIONS = {
    "subject": (ROLES["subject"][1], "verb → its subject", "subject → its verb"),
    "object": (("dobj", "dative", "oprd", "attr"), "verb → its object", "object → its verb"),
    "complement": (
        ("pobj", "pcomp"), "preposition → its object", "object → its preposition",
    ),
    "preposition": (
        ("prep", "agent"), "word → its preposition", "preposition → what it belongs to",
    ),
    "determiner": (("det", "predet"), "noun → its determiner", "determiner → its noun"),
    "possessor": (("poss",), "noun → its possessor", "possessor → its noun"),
    "adjective": (("amod", "nummod"), "noun → its adjective", "adjective → its noun"),
    "compound": (("compound", "nmod"), "noun → its compound part", "compound part → its noun"),
    "adverb": (("advmod", "npadvmod", "neg"), "word → its adverb", "adverb → its word"),
    "auxiliary": (("aux", "auxpass"), "verb → its auxiliary", "auxiliary → its verb"),
    "conjunct": (("conj",), "word → its conjunct", "conjunct → the first of its kind"),
    "coordinator": (("cc", "preconj"), "word → its coordinator", "coordinator → its word"),
    "clause": (
        ("advcl", "relcl", "acl", "ccomp", "xcomp"), "word → its clause", "clause → its word",
    ),
    "marker": (("mark",), "clause → its marker", "marker → its clause"),
    "apposition": (("appos",), "word → its apposition", "apposition → its word"),
}  # fmt: skip
"""Dependencies by group: the parser's labels, and the two ways to read one, query → key."""

DISTANCES = ((0, 0), (1, 1), (2, 4), (5, 16), (17, 64), (65, 256), (257, None))
"""Tokens between query and key, both ends included; beyond the last, any."""

_DISTANCE_TITLES = (
    "a token → itself", "a token → the one before it", "2 to 4 tokens back", "5 to 16 tokens back",
    "17 to 64 tokens back", "65 to 256 tokens back", "more than 256 tokens back",
)  # fmt: skip


def _relations() -> tuple[Function, ...]:
    return tuple(
        Function(f"{name}_{way}", title, "pair")
        for name, (_, down, up) in RELATIONS.items()
        for way, title in (("of", down), ("for", up))
    )


PAIR_FUNCTIONS: tuple[Function, ...] = (
    *(
        Function(f"distance_{low}", title, "pair", parsed=False)
        for (low, _), title in zip(DISTANCES, _DISTANCE_TITLES, strict=True)
    ),
    Function("same_word", "a token → another of its word", "pair", parsed=False),
    Function("repeat", "a token → the same token earlier", "pair", parsed=False),
    Function("induction", "a token → what followed it earlier", "pair", parsed=False),
    Function("same_sentence", "a token → others of its sentence", "pair", parsed=False),
    *_relations(),
    Function("before_verb", "the token before a verb → that verb's subject", "pair"),
)

FUNCTIONS: dict[Kind, tuple[Function, ...]] = {"token": TOKEN_FUNCTIONS, "pair": PAIR_FUNCTIONS}


def named(kind: Kind) -> dict[str, int]:
    """Place of every function of a kind, by name."""
    return {function.name: place for place, function in enumerate(FUNCTIONS[kind])}
