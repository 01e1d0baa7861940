"""QQ plots of p-values and counts against the threshold of q, as pages that need nothing else."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Points = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    from tsea_db.analysis.thresholds import Thresholds

_TITLES = {
    "random_direction": "z_direction: random direction, exact t",
    "es": "ES: random direction, draws and fitted tail",
    "random_token": "ES: random tokens, the usual p of enrichment",
}
_SIZE, _LEFT, _BOTTOM, _TOP = 300, 46, 40, 26
_HIGHEST = 8.0
"""The axis of observed ``-log10 p`` ends here; points beyond it are drawn at its end."""


def qq_svg(title: str, expected: NDArray[np.float64], observed: NDArray[np.float64]) -> str:
    """Draw observed against expected ``-log10 p`` as SVG; p that keep their promise lie on the diagonal."""
    right, top = max(1.0, math.ceil(expected.max())), _HIGHEST
    width, height = _SIZE, _SIZE

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x / right * width, _TOP + height - min(y, top) / top * height

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + width + 14}" height="{_TOP + height + _BOTTOM}" '
        f'viewBox="0 0 {_LEFT + width + 14} {_TOP + height + _BOTTOM}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}" fill="none" stroke="#888"/>',
        f'<text x="{_LEFT}" y="16" font-size="12">{html.escape(title)}</text>',
        f'<text x="{_LEFT + width / 2}" y="{_TOP + height + 34}" text-anchor="middle">expected -log10 p</text>',
        f'<text transform="translate(13 {_TOP + height / 2}) rotate(-90)" text-anchor="middle">'
        "observed -log10 p</text>",
    ]
    for tick in range(int(right) + 1):
        x, y = place(tick, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 15:.1f}" text-anchor="middle">{tick}</text>')
    for tick in range(0, int(top) + 1, 2):
        x, y = place(0, tick)
        parts.append(f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    (x0, y0), (x1, y1) = place(0, 0), place(min(right, top), min(right, top))
    parts.append(f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="#888" stroke-dasharray="4"/>')
    for e, o in zip(expected, observed, strict=True):
        x, y = place(float(e), float(o))
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="#1f6fb4"/>')
    return "\n".join([*parts, "</svg>"])


def qq_page(report: dict[str, Any], per_set: pd.DataFrame, qq: Points) -> str:
    """Return an HTML page: a QQ plot for each null, the shares overall, for each set, and the discoveries."""
    plots = "".join(qq_svg(_TITLES.get(name, name), *points) for name, points in qq.items())
    found = "".join(
        f"<p>{title}: {part['sets_with_discoveries']} of {part['n_sets']} sets have a discovery at "
        f"q &lt; {part['q_below']} among {part['n_features']:,} directions; at most {part['limit']:.2f} may.</p>"
        for title, part in (("Null SAE", report["null_sae"]), ("Rotated SAE", report["rotated_sae"]))
    )
    levels = list(next(iter(report["share_p_below"].values())))
    head = "".join(f"<th>p &lt; {level}</th>" for level in levels)
    rows = "".join(
        f"<tr><td>{html.escape(_TITLES.get(name, name))}</td>" + "".join(f"<td>{s:.4f}</td>" for s in shares.values())
        for name, shares in report["share_p_below"].items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Calibration</title>'
        "<style>body{font-family:sans-serif;margin:2em}td,th{padding:2px 10px;text-align:right}"
        "td:first-child{text-align:left}</style><h1>Calibration</h1>"
        f"<p>{report['settings']['draws']:,} random directions, {report['settings']['n_sets']} sets. Nothing is to be "
        "found here: points on the dashed line keep their promise, points above it claim too much.</p>"
        f"{plots}<h2>Share of p below the level</h2><table><tr><th></th>{head}</tr>{rows}</table>{found}"
        f"<h2>By set</h2>{per_set.to_html(index=False, float_format='{:.4f}'.format, border=0)}</html>\n"
    )


_CURVES = (
    ("pairs", "pairs, real SAEs", "#1f6fb4"),
    ("labels", "labels after collapsing", "#2a9d4a"),
    ("control_sets", "pairs with random control sets", "#b07a1f"),
    ("rotated_sae", "pairs, rotated SAEs", "#b4281f"),
    ("null_sae", "pairs, null SAEs", "#7a1fb4"),
)

_WIDTH, _HEIGHT, _X0, _Y0 = 520, 300, 60, 20


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
    top = max(1.0, math.ceil(math.log10(1 + by_q[[name for name, *_ in _CURVES]].to_numpy().max())))

    def place(at: float, count: float) -> str:
        across = _X0 + (at - low) / (high - low) * _WIDTH
        return f"{across:.1f},{_Y0 + _HEIGHT * (1 - math.log10(1 + count) / top):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_X0 + _WIDTH + 260}" height="{_Y0 + _HEIGHT + 50}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect x="{_X0}" y="{_Y0}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#888"/>',
        f'<text x="{_X0 + _WIDTH / 2}" y="{_Y0 + _HEIGHT + 36}" text-anchor="middle">q</text>',
    ]
    for at, q in zip(x, by_q["q"], strict=True):
        across = place(at, 0).split(",")[0]
        parts.append(f'<text x="{across}" y="{_Y0 + _HEIGHT + 16}" text-anchor="middle">{q:g}</text>')
    for power in range(int(top) + 1):
        down = _Y0 + _HEIGHT * (1 - power / top)
        parts.append(f'<text x="{_X0 - 6}" y="{down + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for i, (name, title, colour) in enumerate(_CURVES):
        points = " ".join(place(at, count) for at, count in zip(x, by_q[name], strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{_X0 + _WIDTH + 12}" y="{_Y0 + 16 + 18 * i}" fill="{colour}">{title}</text>')
    return "\n".join([*parts, "</svg>"])
