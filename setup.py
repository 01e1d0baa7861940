"""Adds the optional C kernel to what pyproject.toml says; without a C compiler the package installs without it."""

import sys

from setuptools import Extension, setup

FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-fvisibility=hidden"]

setup(
    ext_modules=[
        Extension(
            "tsea_db.kernels._walk",
            sources=["tsea_db/kernels/_walk.c"],
            depends=["tsea_db/kernels/_walk.h", "tsea_db/kernels/_walk_kernel.h"],
            extra_compile_args=FLAGS,
            libraries=[] if sys.platform == "win32" else ["m"],
            optional=True,
        )
    ]
)
