"""Where commands write fields."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hsa.commands.out import check_out
from hsa.errors import InputError

PROGRAM = """
import sys
from pathlib import Path
from hsa.commands.out import check_out
check_out(Path(sys.argv[1]))
"""


def test_a_field_says_what_it_is(tmp_path: Path) -> None:
    check_out(tmp_path / "field.safetensors")
    with pytest.raises(InputError, match="--out was not understood"):
        check_out(tmp_path / "field.bin")


@pytest.mark.parametrize(("name", "refused"), [("law.json", True), ("printed.json", False)])
def test_what_is_printed_is_not_written_over(tmp_path: Path, name: str, refused: bool) -> None:
    """`adapt --out law.safetensors --json > law.json` lost what it printed."""
    (tmp_path / "law.json").touch()
    with (tmp_path / name).open("w") as printed:
        outcome = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "law.safetensors")],
            stdout=printed, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ("What is printed would be lost" in outcome.stderr) == refused
    assert (outcome.returncode != 0) == refused
