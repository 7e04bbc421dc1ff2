"""The cost drawer: what this page took of time, memory and reads, and what the server keeps.

Doors to the engine report to the visitor's record, which is begun with every run of a page; a
click that reruns only a part of the page adds to it. The drawer is written anew at every report,
so a page that stops early shows what it did until then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hsa.memory.available import available_bytes
from hsa.memory.store import StoreUse
from pages.ui.stores import stores

if TYPE_CHECKING:
    from hsa.inference.ledger import Ledger
    from hsa.memory.peak import PeakMemory

_KEY = "cost-of-this-page"


@dataclass(frozen=True)
class Reads:
    """Everything read per query (splats, far and near tokens), and keys that it could see."""

    read: float
    keys: float
    tokens: int


@dataclass
class Cost:
    """What one visitor's page took since it last ran as a whole.

    Attributes:
        seconds: of each engine step, without the steps inside it, in the order of first use.
        process_peak: bytes above the process's level before the step that took most.
        device_peak: the same of a CUDA device; 0 without one.
        used_again, made: results found kept, and those that had to be made.
        ledgers: of the programs that this page ran a model under.
    """

    slot: DeltaGenerator | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    process_peak: int = 0
    device_peak: int = 0
    used_again: int = 0
    made: int = 0
    reads: Reads | None = None
    ledgers: list[Ledger] = field(default_factory=list)
    _inside: list[float] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time of this block; of the outermost one its peak memory too."""
        start, outermost = time.perf_counter(), not self._inside
        self._inside.append(0.0)
        try:
            if outermost:
                with _peak_memory() as peak:
                    yield
                self.process_peak = max(self.process_peak, peak.process_bytes)
                self.device_peak = max(self.device_peak, peak.device_bytes)
            else:
                yield
        finally:
            took = time.perf_counter() - start
            own = took - self._inside.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            if self._inside:
                self._inside[-1] += took
            else:
                self.show()

    def asked(self, *, found: bool) -> None:
        """Count a result that was found kept, or had to be made."""
        self.used_again += found
        self.made += not found
        self.show()

    def took(self, name: str, seconds: float) -> None:
        """Count work that was done in the background for what the page shows."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def read(self, read: float, keys: float, tokens: int) -> None:
        """Note the reads of what the page shows."""
        self.reads = Reads(read, keys, tokens)
        self.show()

    def ran(self, ledger: Ledger, tokens: int) -> None:
        """Note a program that the model ran under; its fallbacks are counted from now on."""
        if not any(known is ledger for known in self.ledgers):
            self.ledgers.append(ledger)
        share = ledger.share_read
        self.read(ledger.mean_reads, ledger.mean_reads / share if share else 0.0, tokens)

    @property
    def fallbacks(self) -> int:
        """How often standard attention answered in place of HSA."""
        return sum(ledger.fallbacks for ledger in self.ledgers)

    def show(self) -> None:
        """Write the drawer anew."""
        if self.slot is not None:
            parts = (_time(self), _memory_and_reads(self), _server())
            self.slot.caption("\n\n".join("  \n".join(lines) for lines in parts))


def begin() -> None:
    """A new record, and the drawer that shows it, where the page is being written."""
    drawer = st.expander("Cost of this page")
    record = Cost(drawer.empty())
    st.session_state[_KEY] = record
    record.show()


def current() -> Cost:
    """This visitor's record; outside a page one that nobody sees."""
    found = st.session_state.get(_KEY)
    return Cost() if found is None else found


def _peak_memory() -> PeakMemory:
    from hsa.memory.peak import PeakMemory  # here: it needs torch, the first paint does not

    return PeakMemory()


def _time(cost: Cost) -> list[str]:
    lines = ["**This page since it last ran**; clicks on it add to this."]
    lines += [f"{name}: {seconds:.2f} s" for name, seconds in cost.seconds.items()]
    return [*lines, f"**Time of all engine steps: {sum(cost.seconds.values()):.2f} s**"]


def _memory_and_reads(cost: Cost) -> list[str]:
    lines = [f"Peak memory of the process: {_bytes(cost.process_peak)} above its level before"]
    if cost.device_peak:
        lines.append(f"Peak memory of the device: {_bytes(cost.device_peak)}")
    lines.append(f"Left for this process: {_bytes(available_bytes())}")
    if cost.reads is not None:
        given = cost.reads
        share = f" ({given.read / given.keys:.0%})" if given.keys else ""
        lines.append(
            f"Mean reads of a query: HSA {given.read:,.1f}, standard attention "
            f"{given.keys:,.1f} keys{share}; T = {given.tokens:,}"
        )
    lines.append(f"Kept results: {cost.used_again} used again, {cost.made} made")
    return [*lines, f"Fallbacks to standard attention: {cost.fallbacks}"]


def _server() -> list[str]:
    kept = [f"{name}: {_kept(store.use())}" for name, store in stores().items()]
    return ["**Kept by this server for all visitors** since it started:", *kept]


def _kept(use: StoreUse) -> str:
    if use.unit == "bytes":
        held = f"{_bytes(use.held)} of {_bytes(use.capacity)}"
    else:
        held = f"{use.held} of {use.capacity}"
    return f"{held} · {use.hits} hits, {use.misses} misses, {use.evictions} evicted"


def _bytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
