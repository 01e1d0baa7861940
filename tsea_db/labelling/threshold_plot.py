"""Labels against the threshold of q, as a page that needs nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from tsea_db.labelling.thresholds import Thresholds

_LINES = (
    ("pairs", "pairs, real SAEs", "#1f6fb4"),
    ("labels", "labels after collapsing", "#2a9d4a"),
    ("control_sets", "pairs with random control sets", "#b07a1f"),
    ("rotated_sae", "pairs, rotated SAEs", "#b4281f"),
    ("null_sae", "pairs, null SAEs", "#7a1fb4"),
)
_WIDTH, _HEIGHT, _LEFT, _TOP = 520, 300, 60, 20


def threshold_page(found: Thresholds) -> str:
    """Return an HTML page with the plot and both tables."""
    suggestion = "No q is good enough." if found.suggested_q is None else f"Suggested: q &lt; {found.suggested_q:g}."
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Thresholds</title>'
        "<style>body{font-family:sans-serif;margin:2em}td,th{padding:2px 10px;text-align:right}</style>"
        f"<h1>Thresholds of q</h1><p>{found.n_features:,} scored features. {suggestion} The scale of the plot is "
        f"log10(1 + count).</p>{threshold_svg(found.by_q)}"
        f"{found.by_q.to_html(index=False, float_format='{:.4g}'.format, border=0)}"
        f"<h2>Corrected share of top tokens</h2>{found.by_share.to_html(index=False, border=0)}</html>\n"
    )


def threshold_svg(by_q: pd.DataFrame) -> str:
    """Draw the counts of each threshold, on logarithmic scales."""
    x = [-math.log10(q) for q in by_q["q"]]
    low, high = min(x), max(x) if max(x) > min(x) else min(x) + 1
    top = max(1.0, math.ceil(math.log10(1 + by_q[[name for name, *_ in _LINES]].to_numpy().max())))

    def place(at: float, count: float) -> str:
        across = _LEFT + (at - low) / (high - low) * _WIDTH
        return f"{across:.1f},{_TOP + _HEIGHT * (1 - math.log10(1 + count) / top):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 260}" height="{_TOP + _HEIGHT + 50}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#888"/>',
        f'<text x="{_LEFT + _WIDTH / 2}" y="{_TOP + _HEIGHT + 36}" text-anchor="middle">q</text>',
    ]
    for at, q in zip(x, by_q["q"], strict=True):
        across = place(at, 0).split(",")[0]
        parts.append(f'<text x="{across}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{q:g}</text>')
    for power in range(int(top) + 1):
        down = _TOP + _HEIGHT * (1 - power / top)
        parts.append(f'<text x="{_LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for i, (name, title, colour) in enumerate(_LINES):
        points = " ".join(place(at, count) for at, count in zip(x, by_q[name], strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{_LEFT + _WIDTH + 12}" y="{_TOP + 16 + 18 * i}" fill="{colour}">{title}</text>')
    return "\n".join([*parts, "</svg>"])
