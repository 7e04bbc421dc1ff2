"""Subject-verb agreement: does the model expect the verb in the number of its subject?

"The keys near the cabinet …": the subject's number against that of a nearer noun, after Linzen,
Dupoux and Goldberg, "Assessing the ability of LSTMs to learn syntax-sensitive dependencies"
(TACL 2016). Sentences stand after a text, so that their subjects are no attention sinks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.errors import ModelError
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens

NOUNS = (
    ("key", "keys"), ("dog", "dogs"), ("picture", "pictures"), ("teacher", "teachers"),
    ("ship", "ships"), ("letter", "letters"), ("farmer", "farmers"), ("house", "houses"),
    ("song", "songs"), ("doctor", "doctors"), ("road", "roads"), ("student", "students"),
)  # fmt: skip
LINKS = ("near the", "behind the", "beside the")
VERBS = ((" is", " are"), (" was", " were"), (" has", " have"))


@dataclass(frozen=True)
class AgreementCase:
    """One sentence up to its verb.

    Attributes:
        plural: the subject's number; the noun before the verb has the other one.
        subject: positions of the subject's tokens.
    """

    tokens: Tokens
    plural: bool
    subject: tuple[int, ...]


def agreement_cases(loaded: LoadedModel, before: str, count: int) -> list[AgreementCase]:
    """Sentences after a text, half of them with plural subjects.

    Args:
        before: the text that they stand after.
    """
    return [_case(loaded, before, *words) for words in _sentences(count)]


def _sentences(count: int) -> Iterator[tuple[str, str, str, bool]]:
    for at in range(count):
        pair, other = NOUNS[at // 2 % len(NOUNS)], NOUNS[(at // 2 * 5 + 3) % len(NOUNS)]
        plural = at % 2 == 1
        yield pair[plural], LINKS[at // 2 % len(LINKS)], other[not plural], plural


def _case(
    loaded: LoadedModel, before: str, subject: str, link: str, other: str, plural: bool
) -> AgreementCase:
    start = len(before.rstrip()) + 2
    text = f"{before.rstrip()}\n\nThe {subject} {link} {other}"
    tokens = loaded.tokenize(text)
    first, last = start + len("The "), start + len("The ") + len(subject)
    inside = [
        at for at, (low, high) in enumerate(tokens.spans) if high > first and low < last
    ]  # fmt: skip
    return AgreementCase(tokens, plural, tuple(inside))


def verb_tokens(loaded: LoadedModel) -> tuple[list[int], list[int]]:
    """Ids of the singular and the plural verbs, each a single token.

    Raises:
        ModelError: the model's tokenizer splits them, or there is none.
    """
    singular, plural = [], []
    for one, many in VERBS:
        ids = [loaded.tokenize(f"It{verb}").ids[1:] for verb in (one, many)]
        if any(len(found) != 1 for found in ids):
            raise ModelError(
                f"{loaded.title} splits the verbs that agreement is measured by",
                got=f"{one!r} and {many!r} as {[len(found) for found in ids]} tokens",
                needed="one token each",
            )
        singular.append(ids[0][0])
        plural.append(ids[1][0])
    return singular, plural


def margins(
    loaded: LoadedModel, cases: Sequence[AgreementCase]
) -> Float[Tensor, " C"]:  # fmt: skip
    """Log odds of verbs in the subject's number against the other, in nats, of every case.

    Under the program now running.
    """
    from hsa.models.capture import forward_logits

    singular, plural = verb_tokens(loaded)
    found = []
    for case in cases:
        last = forward_logits(loaded, case.tokens)[-1].float()
        odds = last[plural].logsumexp(0) - last[singular].logsumexp(0)
        found.append(odds if case.plural else -odds)
    return torch.stack(found).cpu()
