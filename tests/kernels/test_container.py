"""Limits of control groups, from folders as the kernel shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tsea_db.kernels import resources
from tsea_db.kernels.container import core_quota, memory_left

MB = 1 << 20


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


def test_version_2_counts_files_that_can_be_dropped_as_free(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/user.slice/job"
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/job",
            f"{group}/memory.max": str(512 * MB),
            f"{group}/memory.current": str(400 * MB),
            f"{group}/memory.stat": f"anon 1\ninactive_file {100 * MB}\nactive_file 7",
            f"{group}/cpu.max": "150000 100000",
        },
    )
    assert memory_left(root) == (512 - 400 + 100) * MB
    assert core_quota(root) == 1.5


def test_the_narrowest_group_above_counts(tmp_path: Path) -> None:
    top = "sys/fs/cgroup"
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/a/b",
            f"{top}/a/b/memory.max": "max",
            f"{top}/a/b/memory.current": "5",
            f"{top}/a/b/cpu.max": "max 100000",
            f"{top}/a/memory.max": str(64 * MB),
            f"{top}/a/memory.current": str(60 * MB),
            f"{top}/a/cpu.max": "400000 100000",
            f"{top}/cpu.max": "800000 100000",
        },
    )
    assert memory_left(root) == 4 * MB
    assert core_quota(root) == 4.0


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
def test_version_1_in_a_container_that_sees_its_own_group_as_the_top(tmp_path: Path, mount: str) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(256 * MB),
            "sys/fs/cgroup/memory/memory.usage_in_bytes": str(300 * MB),
            "sys/fs/cgroup/memory/memory.stat": f"inactive_file 3\ntotal_inactive_file {20 * MB}",
            f"sys/fs/cgroup/{mount}/cpu.cfs_quota_us": "50000",
            f"sys/fs/cgroup/{mount}/cpu.cfs_period_us": "100000",
        },
    )
    assert memory_left(root) == 0
    assert core_quota(root) == 0.5


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/"},
        {
            "proc/self/cgroup": "2:memory:/\n1:cpu:/\n0::/",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    ],
)
def test_without_a_limit_there_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    root = write(tmp_path, files)
    assert memory_left(root) is None
    assert core_quota(root) is None


def test_a_pass_takes_no_more_than_its_container_has(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, cores = resources.available_memory(), resources.usable_cores()
    monkeypatch.setattr(resources, "memory_left", lambda: 12345)
    monkeypatch.setattr(resources, "core_quota", lambda: 0.2)
    assert resources.available_memory() == 12345
    assert resources.usable_cores() == 1
    monkeypatch.setattr(resources, "memory_left", lambda: 1 << 62)
    monkeypatch.setattr(resources, "core_quota", lambda: 1000.0)
    assert machine is None or (resources.available_memory() or 0) > machine // 2
    assert resources.usable_cores() >= cores
