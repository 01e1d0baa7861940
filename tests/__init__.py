"""The tests. pytest-xdist spreads them over the cores; each process computes on one thread.

The number of threads is set before NumPy is imported. A test that needs more starts a process of its own.
"""

import os

for _library in ("OPENBLAS", "OMP", "MKL", "NUMBA"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
