"""A Streamlit script served on a free port by a process of its own, for a browser to visit."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60


@contextmanager
def served(
    script: Path, log: Path, environment: Mapping[str, str] | None = None, **options: str
) -> Iterator[str]:
    """The address of the script, run in its own folder, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    given = {
        "server.port": port, "server.headless": "true", "server.fileWatcherType": "none",
        **options,
    }  # fmt: skip
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", script.name]
            + [f"--{name}={value}" for name, value in given.items()],
            cwd=script.parent,
            env=environment,
            stdout=written,
            stderr=written,
        )
        try:
            _await_health(f"http://127.0.0.1:{port}/_stcore/health", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=10)


def _await_health(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
