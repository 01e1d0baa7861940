"""What a Linux control group, such as a container's, leaves of the machine's memory and cores.

Both versions of control groups are read, see ``man 7 cgroups``. Limits of the groups above hold as well. A container
often sees its own group as the root of the file system, under a path that is the host's: folders that are not there are
passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/")
_UNLIMITED = 1 << 60
"""Version 1 says so with a number of bytes near 2**63."""


def memory_left(root: Path = _ROOT) -> int | None:
    """Bytes that the process's groups may still take, cached files counted as free; None without a limit.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    names = ("memory.max", "memory.current", "inactive_file")
    left = [_memory_left(folder, *names) for folder in _folders(root, "")]
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    left += [_memory_left(folder, *names) for folder in _folders(root, "memory")]
    return min((each for each in left if each is not None), default=None)


def core_quota(root: Path = _ROOT) -> float | None:
    """Cores' worth of time that the process's groups may use; None without a limit."""
    quotas = [_numbers(folder / "cpu.max") for folder in _folders(root, "")]
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    quotas += [[n for name in names for n in _numbers(folder / name)] for folder in _folders(root, "cpu")]
    cores = [pair[0] / pair[1] for pair in quotas if len(pair) == 2 and min(pair) > 0]
    return min(cores, default=None)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the process's group under a controller and of those above; ``""`` stands for version 2."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup"
        mounts = (mount / controllers, mount / controller) if controller else (mount, mount / "unified")
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for top in dict.fromkeys(mounts):
            yield from (top.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1))


def _memory_left(folder: Path, limit: str, used: str, cached: str) -> int | None:
    limits, uses = _numbers(folder / limit), _numbers(folder / used)
    if not limits or not uses or limits[0] >= _UNLIMITED:
        return None
    stat = dict(line.split(maxsplit=1) for line in _lines(folder / "memory.stat"))
    return max(0, limits[0] - (uses[0] - int(stat.get(cached, 0))))


def _numbers(path: Path) -> list[int]:
    """Return the numbers in a file, in order; words such as ``max`` are left out."""
    return [int(word) for line in _lines(path) for word in line.split() if word.lstrip("-").isdigit()]


def _lines(path: Path) -> list[str]:
    """Return the lines of a small file; none if it cannot be read."""
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
