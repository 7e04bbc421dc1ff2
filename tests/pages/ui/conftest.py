"""Scripts of tests that show one component each, all on one server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pages.serving import served

ROOT = Path(__file__).parents[3]
ENTRY = """
from pathlib import Path
import streamlit as st

scripts = sorted(Path("scripts").resolve().glob("*.py"))
shown = [st.Page(script, url_path=script.stem) for script in scripts]
st.navigation([st.Page(lambda: None, title="Nothing"), *shown], position="hidden").run()
"""


@pytest.fixture(scope="session")
def script_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """Takes a script under a name, and gives its address; none of the app's own settings apply."""
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "scripts").mkdir()
    (folder / "entry.py").write_text(ENTRY, "utf-8")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    options = {
        "server.address": "127.0.0.1",
        "browser.gatherUsageStats": "false",
        "runner.magicEnabled": "false",
    }
    with served(folder / "entry.py", folder / "log", environment, **options) as address:

        def added(name: str, script: str) -> str:
            (folder / "scripts" / f"{name}.py").write_text(script, "utf-8")
            return f"{address}/{name}"

        yield added
