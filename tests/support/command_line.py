"""The command line, run inside the test process."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from tsea_db.cli.main import main


def tsea(*arguments: object, store: Path | None = None) -> Result:
    named = [] if store is None else ["--store", str(store)]
    return CliRunner().invoke(main, [*named, *map(str, arguments)])
