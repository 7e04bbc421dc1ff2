"""Work in the background: bounded, stopped, left, and failing aloud."""

from __future__ import annotations

import threading

import pytest

from pages.ui import background
from pages.ui.background import Job, Slots

SECONDS = 10


def until_stopped(job: Job) -> None:
    while not job.stopped():
        threading.Event().wait(0.01)


def test_no_more_than_so_many_work_at_once_and_the_others_wait() -> None:
    slots, begun = Slots(2), []

    def work(job: Job) -> None:
        begun.append(job)
        until_stopped(job)

    jobs = [Job(work, slots) for _ in range(4)]
    assert [job.ahead for job in jobs] == [0, 0, 1, 2]
    jobs[2].stop()
    assert jobs[2].wait(SECONDS), "what waits can be stopped"
    assert jobs[3].ahead == 1
    jobs[0].stop()
    assert jobs[0].wait(SECONDS)
    jobs[3].stop()
    jobs[1].stop()
    assert all(job.wait(SECONDS) for job in jobs)
    assert jobs[2] not in begun
    assert jobs[0].shared and jobs[1].shared


def test_a_single_job_shares_with_nobody() -> None:
    job = Job(lambda job: None, Slots(2))
    assert job.wait(SECONDS) and not job.shared and not job.live


def test_what_nobody_looks_at_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "UNSEEN_SECONDS", 0.05)
    job = Job(until_stopped, Slots(1))
    assert job.wait(SECONDS)
    assert job.abandoned()


def test_an_error_is_kept_and_makes_room() -> None:
    def fails(job: Job) -> None:
        raise ValueError("broken")

    slots = Slots(1)
    job = Job(fails, slots)
    assert job.wait(SECONDS)
    assert isinstance(job.error, ValueError)
    assert Job(lambda job: None, slots).wait(SECONDS)
