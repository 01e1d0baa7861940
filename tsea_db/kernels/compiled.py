"""How the numba kernels are compiled: one place for the options that decide speed and reproducibility."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

Kernel = TypeVar("Kernel", bound="Callable[..., object]")

# Sums may be split over vector lanes and products fused into them. NaN and infinity keep their meaning, since a sum
# that is not finite is how bad weights are noticed.
_SUM_LIBERTIES = {"reassoc", "contract", "nsz"}


def compiled(function: Kernel) -> Kernel:
    """Compile a kernel that does integer work or whose floating-point operations must stay in their order.

    The compiled code is cached beside the source and runs without the GIL, so that rows can be spread over ordinary
    threads.
    """
    return cast("Kernel", numba.njit(cache=True, nogil=True)(function))


def compiled_sums(function: Kernel) -> Kernel:
    """Compile a kernel whose floating-point sums may be reordered into vector lanes (float64 accumulators only)."""
    return cast("Kernel", numba.njit(cache=True, nogil=True, fastmath=_SUM_LIBERTIES)(function))
