"""The slow imports, started while the first page is being painted."""

import gc
import os
import sys
import threading
from importlib import import_module

SLOW = ("torch", "hsa.models.loading", "hsa.attention.reference", "plotly.graph_objects")
_started = threading.Lock()


def start() -> None:
    """Begin importing in the background, once per process; later calls do nothing."""
    if not _started.acquire(blocking=False):
        return
    # Before torch is imported: two visitors' OpenMP threads that spin slow each other by far.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    threading.Thread(target=_import_all, name="hsa-preload", daemon=True).start()


def ready() -> bool:
    """Whether nothing slow is left to import."""
    return all(name in sys.modules for name in SLOW)


def settle() -> None:
    """Leave all that is in memory now out of later garbage collections.

    Streamlit collects after every run of a script, however small. Over modules and models that
    takes a quarter of a second in which no other thread moves on.
    """
    gc.collect()
    gc.freeze()


def _import_all() -> None:
    for name in SLOW:
        import_module(name)
    settle()
