"""What the store knows of one feature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


# Judgement, for remarks in print only: when a set counts as found, as shifted whole, as large enough to show on top.
_SIGNIFICANT_Q = 0.05

_WHOLE_SET_ES = 0.6

_LISTED_SIZE = 10


@dataclass(frozen=True)
class FeatureReport:
    """What the store knows of one feature.

    Attributes:
        columns: Its row of ``features``, with ``model``, ``sae``, ``hook_point`` and ``processing``.
        scores: name, family, phrase, size, z_direction, log10_q, es, nes, members_on_top (members among the twenty
            highest tokens, lowest for negative z), leading_edge, peak_rank, log10_p, log10_p_es,
            log10_p_es_extrapolated and log10_p_token of every set, the most promoted first. NaN where there is none.
        labels: Its labels in order, as :meth:`Store.labels` has them; empty before :meth:`Store.label`.
        near_miss: Where no set names it: direction, set_name, phrase, z, log10_q and es of the nearest one, and why.
    """

    columns: dict[str, Any]
    scores: pd.DataFrame
    labels: pd.DataFrame
    near_miss: dict[str, Any] | None

    def remarks(self) -> list[str]:
        """Say of each score which of the two confusing cases it is, if either; see ``docs/statistics.md``."""
        return [
            _remark(row.z_direction, row.log10_q, row.es, row.members_on_top, row.size)
            for row in self.scores.itertuples()
        ]


def _remark(z: float, log10_q: float, es: float, members_on_top: int, size: int) -> str:
    verb = "promotes" if es > 0 else "suppresses"
    significant = log10_q < math.log10(_SIGNIFICANT_Q)
    if significant and (abs(es) < _WHOLE_SET_ES or z * es < 0):
        return "part of it"
    if significant and members_on_top == 0 and size >= _LISTED_SIZE:
        return f"{verb} it, none on top"
    return ""
