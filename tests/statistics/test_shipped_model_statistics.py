"""The nulls on a real unembedding and real SAEs: calibrated where token independence is not, and telling."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy import stats

from tsea_db.statistics.calibration import discovery_limit, sets_out_of_tolerance, sets_with_discoveries, share_p_below
from tsea_db.statistics.decodability import chance_decodability, decodability
from tsea_db.statistics.direction_null import (
    DirectionScores,
    ReadSubspace,
    SetDirections,
    direction_scores,
    random_rotation,
    read_subspace,
    sample_directions,
    set_directions,
    unembedding_gram,
)
from tsea_db.statistics.es_null import fit_es_null, log10_p_es
from tsea_db.statistics.fdr import benjamini_hochberg
from tsea_db.statistics.overlap import conditional_scores, set_overlaps
from tsea_db.statistics.token_null import build_token_null, log10_p_token

TINY_LM = Path(__file__).parents[2] / "examples" / "tiny-lm"
LEVELS = (0.05, 0.01, 0.001)
ALLOWED = (0.004, 0.0015, 0.0004)
PAST = ["said", "went", "took", "knew", "gave", "saw", "began", "wrote", "spoke", "fell", "rose", "drew"]
PARTICIPLES = [
    "taken",
    "known",
    "given",
    "seen",
    "begun",
    "written",
    "spoken",
    "fallen",
    "risen",
    "drawn",
    "gone",
]


@pytest.fixture(scope="module", name="U")
def unembedding() -> NDArray[np.float32]:
    weights = load_file(TINY_LM / "model" / "model.safetensors")
    embedding = weights["transformer.wte.weight"].astype(np.float32)
    U = (embedding * weights["transformer.ln_f.weight"].astype(np.float32)).T
    U -= U.mean(axis=0)
    U -= U.mean(axis=1, keepdims=True)
    return np.asarray(U)


@pytest.fixture(scope="module", name="members")
def token_sets() -> dict[str, list[int]]:
    vocabulary = json.loads((TINY_LM / "model" / "tokenizer.json").read_text())["model"]["vocab"]
    words = {token[1:]: i for token, i in vocabulary.items() if token.startswith("Ġ") and token[1:].isalpha()}
    rng = np.random.default_rng(0)
    return {
        "capitalised": sorted(i for word, i in words.items() if word.istitle()),
        "lower case": sorted(i for word, i in words.items() if word.islower()),
        "ing": sorted(i for word, i in words.items() if word.endswith("ing") and len(word) > 5),
        "past": sorted(words[word] for word in PAST if word in words),
        "participles": sorted(words[word] for word in PARTICIPLES if word in words),
        "random 30": sorted(rng.choice(len(vocabulary), 30, replace=False).tolist()),
        "random 300": sorted(rng.choice(len(vocabulary), 300, replace=False).tolist()),
    }


def csr(members: dict[str, list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    offsets = np.cumsum([0] + [len(ids) for ids in members.values()]).astype(np.int64)
    return offsets, np.array([token for ids in members.values() for token in ids], dtype=np.int32)


@pytest.fixture(scope="module", name="subspace")
def read_part(U: NDArray[np.float32]) -> ReadSubspace:
    return read_subspace(unembedding_gram(U))


@pytest.fixture(scope="module", name="sets")
def directions(U: NDArray[np.float32], members: dict[str, list[int]], subspace: ReadSubspace) -> SetDirections:
    return set_directions(U, *csr(members), subspace)


def decoder(name: str) -> NDArray[np.float32]:
    return load_file(TINY_LM / "saes" / name / "sae_weights.safetensors")["W_dec"].astype(np.float32)


def walk(logits: NDArray[np.float64], members: dict[str, list[int]]) -> NDArray[np.float64]:
    """Signed ES of every row (no ties), from plain cumulative sums."""
    order = np.argsort(-logits, axis=1)
    es = np.empty((len(logits), len(members)))
    for s, ids in enumerate(members.values()):
        inside = np.zeros(logits.shape[1], dtype=bool)
        inside[ids] = True
        steps = np.where(inside[order], 1 / len(ids), -1 / (logits.shape[1] - len(ids)))
        sums = np.cumsum(steps, axis=1)
        high, low = sums.max(axis=1), sums.min(axis=1)
        es[:, s] = np.where(high >= -low, high, low)
    return es


def test_the_model_reads_all_but_the_constant_direction(subspace: ReadSubspace) -> None:
    assert (subspace.d_model, subspace.d_eff) == (192, 191)


def test_t_is_calibrated_for_every_set(sets: SetDirections, subspace: ReadSubspace) -> None:
    scores = direction_scores(sample_directions(60_000, 0, subspace), sets, subspace)
    found = share_p_below(scores.log10_p, scores.valid, LEVELS)
    for level, allowed, share in zip(LEVELS, ALLOWED, found.overall, strict=True):
        assert share == pytest.approx(level, abs=allowed)
        assert sets_out_of_tolerance(found, level, None).size == 0


@pytest.mark.slow
def test_es_p_is_calibrated_and_the_random_token_p_is_not(
    U: NDArray[np.float32], members: dict[str, list[int]], subspace: ReadSubspace
) -> None:
    draws = walk(sample_directions(4000, 1, subspace) @ U, members)
    fresh = walk(sample_directions(4000, 2, subspace) @ U, members)
    everything = np.ones(fresh.shape, dtype=bool)
    found = share_p_below(log10_p_es(fresh, fit_es_null(np.abs(draws))), everything, LEVELS)
    for level, share in zip(LEVELS, found.overall, strict=True):
        # Seven sets, some of them alike, leave more scatter than the hundreds of a library.
        assert share == pytest.approx(level, abs=2.5 * ALLOWED[LEVELS.index(level)])
    assert sets_out_of_tolerance(found, 0.05, 4000).size == 0
    sizes = [len(ids) for ids in members.values()]
    token_p = log10_p_token(fresh, sizes, build_token_null(sizes, U.shape[1]))
    assert np.all((token_p[:, :3] < np.log10(0.05)).mean(axis=0) > 0.5)


def discoveries(scores: DirectionScores) -> tuple[int, int]:
    """Sets with a discovery, and pairs discovered, at q < 0.01."""
    log10_q = benjamini_hochberg(scores.log10_p, scores.valid)
    return sets_with_discoveries(log10_q, scores.valid), int((log10_q < -2)[scores.valid].sum())


def test_null_and_rotated_saes_have_hardly_any_discovery_and_the_real_one_does(
    sets: SetDirections, subspace: ReadSubspace
) -> None:
    limit = discovery_limit(len(sets.reasons))
    assert discoveries(direction_scores(sample_directions(24_576, 7, subspace), sets, subspace))[0] <= limit
    real = decoder("blocks.3.hook_resid_post")
    rotated = discoveries(direction_scores(real @ random_rotation(192, 0), sets, subspace))
    assert rotated[0] <= limit
    assert discoveries(direction_scores(real, sets, subspace))[1] >= 10 + 5 * rotated[1]


def test_verb_forms_share_a_direction_and_conditioning_parts_them(
    members: dict[str, list[int]], sets: SetDirections, subspace: ReadSubspace
) -> None:
    """Feature 394 writes past tense (said, went, answered), 1505 participles (stated, known, taken)."""
    past, participles = list(members).index("past"), list(members).index("participles")
    r = set_overlaps(*csr(members), 8192, sets).null_corr[past, participles]
    assert r > 0.2
    scores = direction_scores(decoder("blocks.3.hook_resid_post"), sets, subspace)
    cosines = scores.cosine
    beyond = conditional_scores(cosines[:, past], cosines[:, participles], r, subspace.d_eff).z
    reverse = conditional_scores(cosines[:, participles], cosines[:, past], r, subspace.d_eff).z
    assert beyond[394] > 3 > reverse[394]
    assert reverse[1505] > 3 > beyond[1505]


@pytest.mark.parametrize(
    ("feature", "name", "z", "log10_q", "es"),
    [
        (394, "past", 5.45, -3.98, 0.98),
        (394, "participles", 2.62, -0.27, 0.70),
        (1505, "participles", 5.19, -3.36, 0.95),
        (1903, "ing", 4.46, -1.77, 0.58),
        (1432, "capitalised", 6.72, -7.44, 0.66),
        (1877, "past", 4.36, None, 0.88),
    ],
)
def test_worked_example_of_the_documentation(
    U: NDArray[np.float32],
    members: dict[str, list[int]],
    sets: SetDirections,
    subspace: ReadSubspace,
    feature: int,
    name: str,
    z: float,
    log10_q: float | None,
    es: float,
) -> None:
    rows = decoder("blocks.3.hook_resid_post")
    scores = direction_scores(rows, sets, subspace)
    column = list(members).index(name)
    assert scores.z[feature, column] == pytest.approx(z, abs=0.006)
    logits = (rows[feature : feature + 1] @ U).astype(np.float64)
    assert walk(logits, members)[0, column] == pytest.approx(es, abs=0.006)
    if log10_q is not None:
        found = benjamini_hochberg(scores.log10_p, scores.valid)[feature, column]
        assert found == pytest.approx(log10_q, abs=0.006)


def test_what_is_written_on_top_follows_z(
    U: NDArray[np.float32], members: dict[str, list[int]], sets: SetDirections, subspace: ReadSubspace
) -> None:
    rows = decoder("blocks.3.hook_resid_post")
    scores = direction_scores(rows, sets, subspace)
    top = np.argpartition(-(rows @ U), 20, axis=1)[:, :20]
    share = np.isin(top, members["past"]).mean(axis=1)
    z = scores.z[:, list(members).index("past")]
    assert stats.spearmanr(z, share).statistic > 0.15
    assert share[z > 4].mean() > 10 * share.mean()


def test_spelling_is_more_decodable_than_chance_and_random_sets_are_not(
    U: NDArray[np.float32], members: dict[str, list[int]], sets: SetDirections
) -> None:
    sizes = np.array([len(ids) for ids in members.values()])
    R = dict(zip(members, decodability(unembedding_gram(U, centred=True), sets, sizes, 8192), strict=True))
    chance = chance_decodability(191, 8192)
    assert R["capitalised"] > 2 * chance
    assert R["lower case"] > 2 * chance
    assert R["random 30"] == pytest.approx(chance, rel=0.3)
    assert R["random 300"] == pytest.approx(chance, rel=0.3)
