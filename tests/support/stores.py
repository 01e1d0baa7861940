"""What a store holds, and SAEs made up for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tsea_db import SaeWeights, Store
from tsea_db.store.file import StoreFile

# Times live in ingest_runs alone; everything else must not depend on when and how often the job ran.
CONTENT = ("models", "unembeddings", "tokens", "token_sets", "unscored_sets", "memberships", "saes", "features",
           "sae_sets", "scores", "side_sets", "set_nulls", "moment_nulls", "set_overlaps", "contrasts", "sae_contrasts",
           "contrast_scores", "partition_scores", "control_scores")  # fmt: skip


def content(store: Store) -> dict[str, pd.DataFrame]:
    with StoreFile(store.path).reader() as reader:
        return {table: reader.execute(f"from {table} order by all").df() for table in CONTENT}


def made_up(name: str = "made up", *, rows: int = 12, seed: int = 0) -> SaeWeights:
    W_dec = np.random.default_rng(seed).standard_normal((rows, 192)).astype(np.float32)
    return SaeWeights(name, "memory", "blocks.0.hook_resid_post", "standard", W_dec)
