"""Progress of long work."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm


def progress_bar(title: str | None, total: int, unit: str, *, progress: bool) -> tqdm[Any]:
    """Return a progress bar on standard error, which shows on terminals only."""
    return tqdm(desc=title, total=total, unit=unit, disable=None if progress else True)
