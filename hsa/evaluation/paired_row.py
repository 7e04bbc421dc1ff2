"""What answers one query in this case and in the pinned reference, member by member of its cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hsa.errors import InputError
from hsa.explanation.contributors import TOKEN, Contributor, RowExplanation

Standing = Literal["near", "opened", "closed", "not in the cut"]


@dataclass(frozen=True)
class PairedMember:
    """A closed splat, by level and id, or a token read, by position, in either cut.

    Attributes:
        label: of the case, or of the reference where only its cut has the member.
        reference_label: where the reference has another token in that position; "" elsewhere.
        case_weight, reference_weight: shares of their rows' mass; 0 where not in the cut.
    """

    level: str
    identity: int
    label: str
    reference_label: str
    case_standing: Standing
    reference_standing: Standing
    case_weight: float
    reference_weight: float

    @property
    def difference(self) -> float:
        """Case - reference."""
        return self.case_weight - self.reference_weight


@dataclass(frozen=True)
class PairedRow:
    """One query's members in both cuts, those that differ most first.

    Attributes:
        case_total, reference_total: sums of the weights; one each, but for rounding, so the
            differences sum to zero.
    """

    query: int
    members: tuple[PairedMember, ...]
    case_total: float
    reference_total: float


def paired_row(case: RowExplanation, reference: RowExplanation) -> PairedRow:
    """Pair the members of two cuts of one query of one head.

    A member that only one cut has stands with weight zero in the other: there something else, a
    splat above a token or a token below a splat, answers for the same keys.

    Raises:
        InputError: rows of two heads or two queries.
    """
    if (case.layer, case.query) != (reference.layer, reference.query):
        raise InputError(
            "These two rows cannot be paired",
            got=f"query {case.query} of layer {case.layer} and query {reference.query} of layer "
            f"{reference.layer}",
            needed="one query of one layer",
        )
    own = {(of.level, of.identity): of for of in case.members}
    other = {(of.level, of.identity): of for of in reference.members}
    members = [_member(own.get(name), other.get(name)) for name in own | other]
    return PairedRow(
        case.query,
        tuple(sorted(members, key=lambda of: (-abs(of.difference), of.level, of.identity))),
        case.total,
        reference.total,
    )


def _member(own: Contributor | None, other: Contributor | None) -> PairedMember:
    known = own or other
    assert known is not None, "a member is in one of the cuts"
    another = own is not None and other is not None and own.label != other.label
    return PairedMember(
        level=known.level,
        identity=known.identity,
        label=known.label,
        reference_label=other.label if another and other and known.level == TOKEN else "",
        case_standing=_standing(own),
        reference_standing=_standing(other),
        case_weight=own.weight if own else 0.0,
        reference_weight=other.weight if other else 0.0,
    )


def _standing(of: Contributor | None) -> Standing:
    if of is None:
        return "not in the cut"
    return "closed" if of.kind == "splat" else of.kind
