"""Adds the optional C library to what pyproject.toml says; without a C compiler the package installs without it."""

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from setuptools import Extension, setup

KERNELS = Path(__file__).parent / "tsea_db" / "kernels"
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-ffp-contract=off", "-fvisibility=hidden"]

spec = importlib.util.spec_from_file_location("native_sources", KERNELS / "native_sources.py")
native_sources = importlib.util.module_from_spec(spec)
spec.loader.exec_module(native_sources)


def relative(paths: Iterable[Path]) -> list[str]:
    """Return the paths as setuptools wants them."""
    return sorted(path.relative_to(Path(__file__).parent).as_posix() for path in paths)


setup(
    ext_modules=[
        Extension(
            "tsea_db.kernels._native",
            sources=relative(KERNELS.glob("*.c")),
            depends=relative(KERNELS.glob("*.h")),
            define_macros=[("TSEA_SOURCES_HASH", f'"{native_sources.sources_hash()}"')],
            extra_compile_args=FLAGS,
            libraries=[] if sys.platform == "win32" else ["m"],
            optional=True,
        )
    ]
)
