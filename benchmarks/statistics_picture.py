"""Draw docs/statistics.svg from a store of the model in examples/tiny-lm (``make demo`` fills one).

Left: running sums of one feature down its ranking of the tokens. Right: p of random directions under each null.

    python -m benchmarks.statistics_picture demo.duckdb [docs/statistics.svg]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import tsea_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = list[tuple[float, float]]

SAE, FEATURE = "blocks.3.hook_resid_post", 394
SETS = {"verb_past": "#1f6fb4", "nltk_pos_VBN": "#d9822b", "first_names_girls": "#777777"}
NULLS = {"random_direction": "#1f6fb4", "es": "#2e8b57", "random_token": "#c0392b"}
TITLES = {"random_direction": "z: random direction", "es": "ES: random direction", "random_token": "ES: random tokens"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 330, 270, 50, 40, 80
HIGHEST_P = 8.0


def running_sum(weights: NDArray[np.float32], members: NDArray[np.int32]) -> Points:
    """Walk down a ranking; return (tokens walked, running sum) at every 20th token."""
    inside = np.zeros(len(weights), dtype=bool)
    inside[members] = True
    steps = np.where(inside[np.argsort(-weights, kind="stable")], 1 / len(members), -1 / (len(weights) - len(members)))
    sums = np.concatenate([[0.0], np.cumsum(steps)])
    return [(float(i), float(sums[i])) for i in range(0, len(sums), 20)]


def panel(at: float, title: str, axes: tuple[str, str], spans: tuple[float, float, float, float]) -> list[str]:
    """Draw a frame with titles and the ends of its axes."""
    x0, x1, y0, y1 = spans
    bottom, middle = TOP + HEIGHT, at + WIDTH / 2
    return [
        f'<rect x="{at}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#888"/>',
        f'<text x="{at}" y="{TOP - 14}" font-size="13">{title}</text>',
        f'<text x="{middle}" y="{bottom + 34}" text-anchor="middle">{axes[0]}</text>',
        f'<text transform="translate({at - 34} {TOP + HEIGHT / 2}) rotate(-90)" text-anchor="middle">{axes[1]}</text>',
        *(
            f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>'
            for x, value in ((at, x0), (middle, (x0 + x1) / 2), (at + WIDTH, x1))
        ),
        *(
            f'<text x="{at - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
            for y, value in ((bottom, y0), (TOP + HEIGHT / 2, (y0 + y1) / 2), (TOP, y1))
        ),
    ]


def line(at: float, points: Points, spans: tuple[float, float, float, float], style: str) -> str:
    """Draw a line through points; what lies above the frame is drawn at its edge."""
    x0, x1, y0, y1 = spans
    places = " ".join(
        f"{at + (x - x0) / (x1 - x0) * WIDTH:.1f},{TOP + (y1 - min(y, y1)) / (y1 - y0) * HEIGHT:.1f}" for x, y in points
    )
    return f'<polyline points="{places}" fill="none" {style}/>'


def legend(at: float, row: int, text: str, colour: str) -> str:
    """Name a line beside the frame's upper left corner."""
    return f'<text x="{at + 12}" y="{TOP + 18 + 15 * row}" fill="{colour}">{text}</text>'


def main(store_path: str, picture: str) -> None:
    """Draw both panels and write the picture."""
    store = tsea_db.open(store_path)
    weights = store.logit_weights(SAE, FEATURE)
    scores = store.feature(SAE, FEATURE).scores.set_index("name")
    left, right = float(LEFT), float(LEFT + WIDTH + GAP)
    spans = (0.0, float(len(weights)), -0.25, 0.75)
    parts = panel(left, f"Feature {FEATURE}: running sums", ("tokens walked", "running sum"), spans)
    parts.append(line(left, [(0.0, 0.0), (spans[1], 0.0)], spans, 'stroke="#bbb"'))
    for row, (name, colour) in enumerate(SETS.items()):
        members = store.members(name)["token_id"].to_numpy()
        parts.append(line(left, running_sum(weights, members), spans, f'stroke="{colour}" stroke-width="1.8"'))
        score = scores.loc[name]
        text = f"{name}: ES {score['es']:.2f}, z {score['z_direction']:.1f}"
        parts.append(legend(left + 130, 14 + row, text, colour))
    qq = store.calibrate().qq
    spans = (0.0, 6.0, 0.0, HIGHEST_P)
    axes = ("expected -log10 p", "observed -log10 p")
    parts += panel(right, "Random directions against all sets", axes, spans)
    parts.append(line(right, [(0.0, 0.0), (6.0, 6.0)], spans, 'stroke="#888" stroke-dasharray="4"'))
    for row, (name, colour) in enumerate(NULLS.items()):
        points = list(zip(*(values.tolist() for values in qq[name]), strict=True))
        parts.append(line(right, points, spans, f'stroke="{colour}" stroke-width="1.8"'))
        parts.append(legend(right + 190, 12 + row, TITLES[name], colour))
    width, height = right + WIDTH + 20, TOP + HEIGHT + 50
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height}" '
        f'viewBox="0 0 {width:g} {height}" font-family="sans-serif" font-size="11">'
    )
    background = '<rect width="100%" height="100%" fill="white"/>'
    Path(picture).write_text("\n".join([head, background, *parts, "</svg>\n"]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "docs/statistics.svg")
