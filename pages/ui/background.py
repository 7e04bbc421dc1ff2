"""Work that goes on between a visitor's page runs, a bounded number at once.

The worker never touches Streamlit: it fills an object of the engine, and the page looks at it.
Work that nobody looks at any more (a closed tab, another page) ends by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AT_ONCE = 2
UNSEEN_SECONDS = 30.0


class Slots:
    """Lets a few jobs work at once; the others wait in the order they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._queue: list[Job] = []

    def join(self, job: Job) -> None:
        """Stand in line."""
        with self._changed:
            self._queue.append(job)

    def await_turn(self, job: Job) -> bool:
        """Wait; False if the job was stopped before its turn came."""
        with self._changed:
            while self._queue.index(job) >= self._most:
                if job.stopped():
                    return False
                self._changed.wait(0.2)
            crowded = self._queue[: self._most]
            for other in crowded:
                other.shared |= len(crowded) > 1
        return True

    def leave(self, job: Job) -> None:
        """Make room."""
        with self._changed:
            self._queue.remove(job)
            self._changed.notify_all()

    def ahead(self, job: Job) -> int:
        """Jobs that must end before this one begins."""
        with self._changed:
            return max(0, self._queue.index(job) - self._most + 1) if job in self._queue else 0


SLOTS = Slots(AT_ONCE)


class Job:
    """One piece of work in a thread of its own.

    Attributes:
        shared: another job worked at the same time, so that both were slower than alone.
        error: what the work raised, for the page to show.

    Args:
        unseen_seconds: how long it goes on while nobody looks; as all do if left out.
    """

    def __init__(
        self,
        work: Callable[[Job], None],
        slots: Slots = SLOTS,
        unseen_seconds: float | None = None,
    ) -> None:
        self.shared = False
        self._unseen_seconds = unseen_seconds
        self.error: Exception | None = None
        self._work, self._slots = work, slots
        self._stop, self._abandon, self._done = (threading.Event() for _ in range(3))
        self._seen = time.monotonic()
        slots.join(self)
        threading.Thread(target=self._run, name="hsa-visitor", daemon=True).start()

    @property
    def live(self) -> bool:
        """Whether there is still something to wait for."""
        return not self._done.is_set()

    @property
    def ahead(self) -> int:
        """Jobs of other visitors that must end before this one begins."""
        return self._slots.ahead(self)

    def look(self) -> None:
        """Somebody still watches."""
        self._seen = time.monotonic()

    def stop(self) -> None:
        """End the writing; what was written is kept and measured."""
        self._stop.set()

    def abandon(self) -> None:
        """End as soon as possible; nobody wants the outcome."""
        self._abandon.set()
        self._stop.set()

    def abandoned(self) -> bool:
        """Whether nobody wants the outcome any more."""
        most = UNSEEN_SECONDS if self._unseen_seconds is None else self._unseen_seconds
        return self._abandon.is_set() or time.monotonic() - self._seen > most

    def stopped(self) -> bool:
        """Whether the visitor has stopped the work, or has gone."""
        return self._stop.is_set() or self.abandoned()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; False if it did not come in time."""
        return self._done.wait(seconds)

    def _run(self) -> None:
        try:
            if self._slots.await_turn(self):
                self._work(self)
        except Exception as error:
            self.error = error  # raised again on the page
        finally:
            self._slots.leave(self)
            self._done.set()
