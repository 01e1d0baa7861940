"""QQ plots of p-values, as a page that needs nothing else."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Points = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

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
