"""The film of one head: everyone who stood is in it, where they stood, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from hsa.adaptation.edit import Edit, Head, Kind, apply_edits
from hsa.adaptation.evidence import no_evidence
from hsa.adaptation.film import MOST_DRIFTS_NAMED, film, film_of_log, principal_axes
from hsa.adaptation.film_words import history
from hsa.adaptation.lineage import HeadRecord, Start, StepRecord, checksum
from hsa.adaptation.moves import moves
from hsa.adaptation.recording import Recording
from hsa.adaptation.replay import Log
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.splats import Splats, no_splats
from hsa.adaptation.step import HeadStep, Trial
from hsa.errors import FieldError, InputError
from hsa.field.seeding import seed_field
from hsa.field.splat_field import PHRASE, SplatField
from pages.ui.player import encode

DIM, SIZES = 8, (4, 16, 64)
OBJECTIVE = (0.2, 0.19)
LIMITS: dict[Kind, float] = {"birth": 1.0, "mitosis": 1.0, "merge": 3.0, "death": 0.3}


def field_of(seed: int) -> SplatField:
    generator = torch.Generator().manual_seed(seed)
    keys = torch.randn(400, DIM, generator=generator) * torch.linspace(2, 0.5, DIM)
    return seed_field(keys, torch.eye(DIM), SIZES, generator)


def put(ids: Sequence[int], parent: int, seed: int) -> Splats:
    generator = torch.Generator().manual_seed(seed)
    many = len(ids)
    return Splats(
        torch.tensor(ids), torch.full((many,), parent), torch.randn(many, DIM, generator=generator),
        torch.zeros(many, DIM), torch.full((many,), -4.0),
    ).rounded()  # fmt: skip


def edit(kind: Kind, removed: Sequence[int] = (), splats: Splats | None = None, **more) -> Edit:
    return Edit(
        kind, PHRASE, tuple(removed), no_splats(DIM) if splats is None else splats,
        evidence=2.0, threshold=1.0, **more,
    )  # fmt: skip


class Story:
    """Steps told one after the other, with the head that they lead to."""

    def __init__(self, seed: int = 0) -> None:
        self.before = field_of(seed)
        self.head = Head(self.before, no_evidence(self.before), self.before.splats)
        self.phrases = self.before.splat_id[self.before.rows(PHRASE)].tolist()
        self.steps: list[HeadStep] = []
        self.fields = [self.before]

    def parent_of(self, splat: int) -> int:
        row = int(self.head.row_of([splat]))
        return int(self.head.field.splat_id[self.head.field.parent[row]])

    def told(self, *trials: tuple[bool, Sequence[Sequence[Edit]]], kept: bool = False) -> None:
        made = []
        for accepted, batches in trials:
            for batch in batches if accepted else ():
                self.head = apply_edits(self.head, batch)
            made.append(
                Trial("structure", tuple(map(tuple, batches)), accepted, OBJECTIVE,
                      (0.1, 0.11) if kept else None)
            )  # fmt: skip
        level = self.head.field.level
        self.steps.append(
            HeadStep(
                tuple(made), 0.3 - 0.01 * len(self.steps), 20.0, (dict(LIMITS),) * 3,
                tuple(int((level == at).sum()) for at in range(3)), 1.0, {},
            )
        )  # fmt: skip
        self.fields.append(self.head.field)

    def film(self) -> Recording:
        return film(self.before, self.steps, [f"text {n}" for n, _ in enumerate(self.steps)], "x")


def everything(seed: int = 0) -> Story:
    """Each kind of edit once, one rolled back, one of many splats, and one that comes and goes."""
    story = Story(seed)
    a, b, c, d, *rest = story.phrases
    home = story.parent_of(a)
    story.told()
    story.told((True, [[edit("mitosis", [a], put((100, 101), home, 1))]]))
    story.told((True, [[edit("merge", [100, 101], put((102,), home, 2)),
                        edit("birth", splats=put((103,), home, 3))]]))  # fmt: skip
    story.told((False, [[edit("mitosis", [b], put((104, 105), home, 4))]]),
               (True, [[edit("death", [c], shift=0.01)]]), kept=True)  # fmt: skip
    many = torch.tensor(rest[:50])
    delta = torch.randn(50, DIM, generator=torch.Generator().manual_seed(seed))
    field = story.fields[-1]
    row = torch.stack([(field.splat_id == splat).nonzero()[0, 0] for splat in many])
    moved = moves(field, row, delta, torch.zeros_like(delta), torch.zeros(50), rate=1.0)
    story.told((True, [[edit("drift", moved=moved)],
                       [edit("drift", adopted=((d, home),))]]))  # fmt: skip
    story.told((True, [[edit("birth", splats=put((106,), home, 5))], [edit("death", [106])]]))
    return story


@pytest.mark.parametrize("seed", range(3))
def test_whoever_stands_stands_where_the_field_says(seed: int) -> None:
    story = everything(seed)
    shown = story.film()
    encode(shown)  # sound: the player takes it
    number = {splat: at for at, splat in enumerate(shown.splat_id.tolist())}
    places = torch.stack([shown.frame_x, shown.frame_y], 1)
    for step, known in enumerate(story.fields):
        standing = {n for n in number.values() if shown.born[n] <= step < shown.died[n]}
        assert standing == {number[splat] for splat in known.splat_id.tolist()}
        at = torch.tensor([frame_at(shown, number[s], step) for s in known.splat_id.tolist()])
        torch.testing.assert_close(
            shown.frame_share[at], known.log_amplitude.exp(), rtol=2e-3, atol=0
        )
        parents = [int(known.splat_id[p]) if p >= 0 else -1 for p in known.parent.tolist()]
        told = [int(shown.splat_id[p]) if p >= 0 else -1 for p in shown.frame_parent[at].tolist()]
        assert told == parents
        # The map is linear: pairs that stand apart on it by so much do so in the field.
        assert bool((torch.pdist(places[at]) <= torch.pdist(known.position) + 1e-4).all())


def frame_at(shown: Recording, splat: int, step: int) -> int:
    frames = ((shown.frame_splat == splat) & (shown.frame_step <= step)).nonzero().squeeze(1)
    return int(frames[-1])


def test_happenings_say_who_went_and_who_came() -> None:
    shown = everything().film()
    ids = shown.splat_id.tolist()

    def of(kind: str, accepted: bool = True) -> list[tuple[list[int], list[int], int]]:
        return [
            ([ids[n] for n in h.before], [ids[n] for n in h.after], h.step)
            for h in shown.happenings
            if h.kind == kind and h.accepted == accepted
        ]

    a, b, c, *_ = everything().phrases
    assert of("mitosis") == [([a], [100, 101], 2)]
    assert of("merge") == [([100, 101], [102], 3)]
    assert of("birth") == [([], [103], 3), ([], [106], 6)]
    assert of("death") == [([c], [], 4), ([106], [], 6)]
    assert of("mitosis", accepted=False) == [([b], [], 4)], "what was rolled back put nobody"
    ((before, after, step),) = of("drift")
    assert step == 5 and before == after and len(before) == MOST_DRIFTS_NAMED
    assert all(h.threshold == 1.0 and (h.error_before, h.error_after) == OBJECTIVE
               for h in shown.happenings)  # fmt: skip


def test_curves_are_finite_and_say_what_the_steps_say() -> None:
    story = everything()
    shown = story.film()
    by_name = {(curve.panel, curve.name): curve.values.tolist() for curve in shown.curves}
    assert all(len(values) == len(story.fields) for values in by_name.values())
    assert all(torch.isfinite(curve.values).all() for curve in shown.curves)
    assert by_name["splats", "Phrases"] == [64, 64, 65, 65, 64, 64, 64]
    assert by_name["event rates", "deaths"] == [0, 0, 0, 0, 1, 0, 1]
    assert by_name["error", "of the text read"] == pytest.approx(
        [0.3, 0.3, 0.29, 0.28, 0.27, 0.26, 0.25]
    )
    assert by_name["error", "of texts to be kept"] == pytest.approx([0.1] * 4 + [0.11] * 3)
    assert by_name["objective on held texts", "after it"][2:] == pytest.approx([0.19] * 5)
    assert by_name["churn", "born or gone"][:3] == pytest.approx([0, 0, 3 / 85])
    assert by_name["thresholds", "merges"] == [3.0] * 7


def test_the_map_is_the_same_whenever_it_is_made() -> None:
    one, other = everything().film(), everything().film()
    assert torch.equal(one.frame_x, other.frame_x) and torch.equal(one.frame_y, other.frame_y)
    cloud = torch.randn(200, DIM, generator=torch.Generator().manual_seed(1))
    cloud = cloud * torch.tensor([5.0, 3.0] + [0.1] * 6)
    placed = principal_axes(cloud)
    shift = cloud[:, :2] - cloud[:, :2].mean(0)
    torch.testing.assert_close(placed, shift, atol=0.3, rtol=0)
    assert bool((principal_axes(torch.ones(5, DIM)) == 0).all()), "all in one place"
    assert principal_axes(torch.randn(5, 1)).shape == (5, 2)


def test_a_splat_has_a_history_in_words() -> None:
    story = everything()
    shown = story.film()
    a, b, c, d, first, *_ = story.phrases
    assert history(shown, a)[0] == f"Phrase #{a} stood from the start, before the first text."
    assert history(shown, a)[-1].startswith("It divided into #100 and #101 at step 2 (text 1): ")
    came, ended = history(shown, 100)
    assert f"came of a division of #{a} at step 2" in came
    why = "error of its answer and keys, in units of its level's mean, 2, over the threshold 1"
    assert f"{why}; the objective" in came
    assert "merged into #102 at step 3" in ended
    assert any("mitosis of it was tried once and rolled back" in told for told in history(shown, b))
    assert "died at step 4" in history(shown, c)[-1]
    assert any("went to a nearer parent once" in told for told in history(shown, d)) or (
        story.parent_of(d) == int(story.before.splat_id[story.before.parent[d]])
    )
    assert any("drifted after its keys at step 5" in told for told in history(shown, first))
    assert "was born at step 3" in history(shown, 103)[0]
    assert "stands at the end below #" in history(shown, 103)[-1]
    with pytest.raises(KeyError):
        history(shown, 9999)


def test_no_steps_and_nothing_that_happens_are_films_too() -> None:
    story = Story()
    still = story.film()
    assert still.step_names == ("start",) and not still.curves
    encode(still)
    story.told()
    story.told()
    assert not story.film().happenings
    assert len(story.film().frame_splat) == story.before.splats
    encode(story.film())
    with pytest.raises(InputError, match="one name a step"):
        film(story.before, story.steps, ["one"], "x")


def log_of(story: Story) -> Log:
    start = Start("tiny", "f" * 64, AdaptationSettings(), (), (), ((3, 1, checksum(story.before)),))
    return Log(
        start,
        tuple(
            StepRecord(n, f"text {n}", 90, n == 1, 3,
                       (HeadRecord(3, 1, step, checksum(story.fields[n])),))
            for n, step in enumerate(story.steps, 1)
        ),
        True,
    )  # fmt: skip


def test_a_log_is_filmed_after_it_was_verified() -> None:
    story = everything()
    log = log_of(story)
    shown = film_of_log(log, {(3, 1): story.before}, 3, 1)
    assert shown.title == "tiny: layer 3, key/value head 1"
    assert shown.step_names[:2] == ("start", "text 1, held to judge on")
    assert torch.equal(shown.frame_x, story.film().frame_x)
    with pytest.raises(InputError, match="no such head"):
        film_of_log(log, {(3, 1): story.before}, 3, 0)
    with pytest.raises(FieldError, match="another field"):
        film_of_log(log, {(3, 1): field_of(7)}, 3, 1)
    wrong = replace(log.steps[2].heads[0], checksum="0" * 64)
    damaged = (*log.steps[:2], replace(log.steps[2], heads=(wrong,)), *log.steps[3:])
    with pytest.raises(FieldError, match="differs from the run"):
        film_of_log(replace(log, steps=damaged), {(3, 1): story.before}, 3, 1)
