"""What is left for this process, under limits of every kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hsa.errors import InputError
from hsa.memory.available import OWN_LIMIT, available_bytes

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000
UNLIMITED = 9223372036854771712  # what version 1 says where no limit is set


def write(folder: Path, **files: object) -> None:
    """Files of a cgroup; two underscores stand for the dot of a name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n", "utf-8")


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    return tmp_path / "mount"


def test_no_cgroup_leaves_the_machines_free_memory(membership: Path, mount: Path) -> None:
    free = psutil.virtual_memory().available
    assert available_bytes(membership, mount) == pytest.approx(free, rel=0.2)


def test_version_2(membership: Path, mount: Path) -> None:
    membership.write_text("0::/app\n", "utf-8")
    write(mount / "app", memory__max=100 * MEGABYTE, memory__current=30 * MEGABYTE)
    assert available_bytes(membership, mount) == 70 * MEGABYTE


def test_version_2_without_a_limit(membership: Path, mount: Path) -> None:
    membership.write_text("0::/app\n", "utf-8")
    write(mount / "app", memory__max="max", memory__current=30 * MEGABYTE)
    assert available_bytes(membership, mount) > 100 * MEGABYTE


def test_a_cgroup_around_this_one_may_be_tighter(membership: Path, mount: Path) -> None:
    membership.write_text("0::/user/app\n", "utf-8")
    write(mount / "user" / "app", memory__max=100 * MEGABYTE, memory__current=30 * MEGABYTE)
    write(mount / "user", memory__max=110 * MEGABYTE, memory__current=90 * MEGABYTE)
    assert available_bytes(membership, mount) == 20 * MEGABYTE


def test_a_container_that_sees_only_its_own_cgroup(membership: Path, mount: Path) -> None:
    membership.write_text("0::/../host/abc\n", "utf-8")
    write(mount, memory__max=50 * MEGABYTE, memory__current=20 * MEGABYTE)
    assert available_bytes(membership, mount) == 30 * MEGABYTE


def test_version_1_among_other_controllers(membership: Path, mount: Path) -> None:
    membership.write_text("5:cpu:/tight\n4:memory:/app\n0::/app\n", "utf-8")
    write(mount / "memory", memory__limit_in_bytes=UNLIMITED, memory__usage_in_bytes=1)
    write(
        mount / "memory" / "app",
        memory__limit_in_bytes=80 * MEGABYTE, memory__usage_in_bytes=50 * MEGABYTE,
    )  # fmt: skip
    write(
        mount / "memory" / "tight", memory__limit_in_bytes=1, memory__usage_in_bytes=1
    )  # another's
    assert available_bytes(membership, mount) == 30 * MEGABYTE


@pytest.mark.parametrize(
    ("line", "folder", "names", "idle"),
    [
        ("0::/", "", ("memory__max", "memory__current"), "inactive_file"),
        (
            "4:memory:/", "memory", ("memory__limit_in_bytes", "memory__usage_in_bytes"),
            "total_inactive_file",
        ),
    ],
)  # fmt: skip
def test_files_cached_and_idle_do_not_count_as_used(
    membership: Path, mount: Path, line: str, folder: str, names: tuple[str, str], idle: str
) -> None:
    membership.write_text(f"{line}\n", "utf-8")
    write(
        mount / folder,
        **{names[0]: 100 * MEGABYTE, names[1]: 90 * MEGABYTE},
        memory__stat=f"anon 1\n{idle} {60 * MEGABYTE}\nactive_file 5",
    )
    assert available_bytes(membership, mount) == 70 * MEGABYTE


def test_more_used_than_allowed_leaves_nothing(membership: Path, mount: Path) -> None:
    membership.write_text("0::/\n", "utf-8")
    write(mount, memory__max=MEGABYTE, memory__current=2 * MEGABYTE)
    assert available_bytes(membership, mount) == 0


@pytest.mark.parametrize("content", ["", "what is this", "0", "::::"])
def test_a_strange_account_sets_no_limit(membership: Path, mount: Path, content: str) -> None:
    membership.write_text(content, "utf-8")
    assert available_bytes(membership, mount) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux")
def test_a_limit_on_address_space_binds() -> None:
    """Also what it promises is there, and not much more: 32 MB less fit, 32 MB more do not."""
    program = """
import resource, mmap, psutil
from hsa.errors import InputError
from hsa.memory.available import OWN_LIMIT, available_bytes
used = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
left = available_bytes()
mmap.mmap(-1, left - 32_000_000).close()
try:
    mmap.mmap(-1, left + 32_000_000)
except OSError:
    print(left)
"""
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 200 * MEGABYTE < int(outcome.stdout) <= 300 * MEGABYTE


def test_asking_loads_no_torch() -> None:
    program = "import sys, hsa.memory.available; print('torch' in sys.modules)"
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert outcome.stdout.strip() == "False"


def test_a_limit_of_the_users_own_binds(monkeypatch: pytest.MonkeyPatch) -> None:
    used = psutil.Process().memory_info().rss
    monkeypatch.setenv(OWN_LIMIT, str(used + 50 * MEGABYTE))
    assert 40 * MEGABYTE < available_bytes() < 60 * MEGABYTE
    monkeypatch.setenv(OWN_LIMIT, "1")
    assert available_bytes() == 0
    monkeypatch.setenv(OWN_LIMIT, " ")
    assert available_bytes() > 0


@pytest.mark.parametrize("given", ["4GB", "-1", "1e9", "٣"])
def test_a_limit_that_is_no_number_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWN_LIMIT, given)
    with pytest.raises(InputError, match="HSA_MEMORY_BYTES was not understood"):
        available_bytes()
