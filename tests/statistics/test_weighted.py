"""The weighted score against fgsea's published results and a walk in plain Python."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from tsea_db.errors import InputError
from tsea_db.statistics.weighted import weighted_es

FGSEA = Path(__file__).parents[1] / "data" / "fgsea"


def lines(name: str) -> list[list[str]]:
    with gzip.open(FGSEA / name, "rt") as text:
        return [line.rstrip("\n").split("\t") for line in text]


def test_published_scores_of_fgsea_to_ten_digits() -> None:
    genes = {row[0]: i for i, row in enumerate(lines("naive.vs.th1.rnk.gz")[1:])}
    statistics = np.array([float(row[1]) for row in lines("naive.vs.th1.rnk.gz")[1:]])
    pathways = {row[0].split("_")[0]: row[2:] for row in lines("mouse.reactome.gmt.gz")}
    header, *published = lines("fgsea_res.tsv.gz")
    columns = {name: i for i, name in enumerate(header)}
    assert len(published) == 586
    members = [sorted({genes[gene] for gene in pathways[row[0]] if gene in genes}) for row in published]
    assert [len(ids) for ids in members] == [int(row[columns["size"]]) for row in published]
    offsets = np.cumsum([0] + [len(ids) for ids in members])
    scores = weighted_es(statistics, offsets, np.concatenate(members))
    expected = [float(row[columns["ES"]]) for row in published]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-10)


def walk(logits: list[float], members: set[int], weight: float) -> float:
    total = sum(abs(logits[t]) ** weight for t in members)
    height, highest, lowest = 0.0, 0.0, 0.0
    for value in sorted(set(logits), reverse=True):
        group = [t for t, other in enumerate(logits) if other == value]
        inside = [t for t in group if t in members]
        height += sum(abs(logits[t]) ** weight for t in inside) / total
        height -= (len(group) - len(inside)) / (len(logits) - len(members))
        highest, lowest = max(highest, height), min(lowest, height)
    return highest if highest >= -lowest - 1e-12 else lowest


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("weight", [0.0, 1.0, 2.0])
def test_any_ties_equal_a_walk_over_tie_groups(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.integers(-4, 5, 40).astype(float) + 0.5
    sets = [rng.choice(40, k, replace=False) for k in (1, 3, 12, 39)]
    offsets = np.cumsum([0] + [len(ids) for ids in sets])
    scores = weighted_es(logits, offsets, np.concatenate(sets), weight)
    expected = [walk(logits.tolist(), set(ids.tolist()), weight) for ids in sets]
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    shuffle = rng.permutation(40)
    where = np.argsort(shuffle)
    again = weighted_es(logits[shuffle], offsets, where[np.concatenate(sets)], weight)
    np.testing.assert_allclose(again, scores, atol=1e-12)


def test_members_that_all_weigh_nothing_count_equally() -> None:
    logits = np.array([2.0, 0.0, 0.0, -1.0])
    assert weighted_es(logits, np.array([0, 2]), np.array([1, 2]))[0] == pytest.approx(0.5)


def test_scores_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        weighted_es(np.array([1.0, np.nan]), np.array([0, 1]), np.array([0]))
    with pytest.raises(InputError, match="0 of 2 tokens"):
        weighted_es(np.array([1.0, 2.0]), np.array([0, 0]), np.array([], dtype=np.int32))
    with pytest.raises(InputError, match="2 of 2 tokens"):
        weighted_es(np.array([1.0, 2.0]), np.array([0, 2]), np.array([0, 1]))
