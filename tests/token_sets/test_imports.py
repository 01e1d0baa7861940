"""Token sets stand below the store and the command line."""

from __future__ import annotations

import subprocess
import sys


def test_neither_store_nor_command_line_is_imported() -> None:
    code = (
        "import sys, tsea_db.token_sets\n"
        "print([name for name in ('sqlalchemy', 'duckdb', 'click', 'torch', 'transformers', 'nltk', 'scipy')"
        " if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
