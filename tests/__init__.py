"""The tests. pytest-xdist spreads them over the cores; each of its processes computes on one thread.

They inherit what is set here: a plugin of pytest may have imported NumPy into this process already. A test that needs
more threads starts a process of its own.
"""

import os

for _library in ("OPENBLAS", "OMP", "MKL", "NUMBA"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
