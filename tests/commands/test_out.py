"""Where commands write fields."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hsa.commands.out import check_out
from hsa.errors import InputError


def test_a_field_says_what_it_is(tmp_path: Path) -> None:
    check_out(tmp_path / "field.safetensors")
    with pytest.raises(InputError, match="--out was not understood"):
        check_out(tmp_path / "field.bin")


def test_what_is_printed_is_not_written_over(tmp_path: Path) -> None:
    """`--out law.safetensors --json > law.json` lost what it printed."""
    program = "import sys; from hsa.__main__ import main; sys.exit(main(sys.argv[1:]))"
    given = ["adapt", "--texts", str(tmp_path), "--out", str(tmp_path / "law.safetensors")]
    for name, refused in (("law.json", True), ("printed.json", False)):
        with (tmp_path / name).open("w") as printed:
            outcome = subprocess.run(
                [sys.executable, "-c", program, *given], stdout=printed, stderr=subprocess.PIPE,
                text=True, check=False,
            )  # fmt: skip
        assert outcome.returncode == 2
        assert ("What is printed would be lost" in outcome.stderr) == refused
