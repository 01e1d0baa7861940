"""What tests of rules share."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tsea_db import Store

SET_RULE = '[[rule]]\nname = "p"\nkind = "set"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.toml"
    path.write_text(text)
    return path


def labels(store: Store, rules: Path) -> pd.DataFrame:
    found: pd.DataFrame = store.label(rules, dry_run=True).labelling.labels.to_pandas()
    return found
