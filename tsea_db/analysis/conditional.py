"""Sets against each other: one given another, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsea_db.kernels.set_matrix import SetMatrix
from tsea_db.statistics.cosine_tail import cosines_of_z
from tsea_db.statistics.fdr import benjamini_hochberg
from tsea_db.statistics.joint_fit import joint_coefficients, joint_fit
from tsea_db.statistics.overlap import conditional_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

JOINT_RIDGE = 1e-3


def all_features(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Score one set given another for all features of an SAE, from the z of both.

    Args:
        rows: feature, z_a, z_b of each feature; null_corr and d_eff, the same in all.

    Returns:
        feature, z_a, z_b, z_a_given_b, log10_p, log10_q; NaN where the two sets have the same direction.
    """
    table = pd.DataFrame(rows, columns=["feature", "z_a", "z_b", "null_corr", "d_eff"])
    answer = table[["feature", "z_a", "z_b"]].copy()
    if table.empty:
        return answer.assign(z_a_given_b=[], log10_p=[], log10_q=[])
    d_eff = int(table["d_eff"].iloc[0])
    cosines = cosines_of_z(table[["z_a", "z_b"]].to_numpy(), d_eff)
    found = conditional_scores(cosines[:, :1], cosines[:, 1:], float(table["null_corr"].iloc[0]), d_eff)
    log10_q = benjamini_hochberg(found.log10_p, found.distinct)
    for name, values in (("z_a_given_b", found.z), ("log10_p", found.log10_p), ("log10_q", log10_q)):
        answer[name] = np.where(found.distinct, values, np.nan)[:, 0]
    return answer


def all_sets(rows: list[dict[str, Any]], z_given: float) -> pd.DataFrame:
    """Score every set given one set, for one feature.

    Args:
        rows: name, phrase, size, z_direction, null_corr (with the set given) and d_eff of every other set.
        z_given: The feature's z for the set given.

    Returns:
        name, phrase, size, z_direction, null_corr, z_given, log10_p_given; the highest z_given first.
    """
    table = pd.DataFrame(rows, columns=["name", "phrase", "size", "z_direction", "null_corr", "d_eff"])
    answer = table.drop(columns="d_eff")
    if table.empty:
        return answer.assign(z_given=[], log10_p_given=[])
    d_eff = int(table["d_eff"].iloc[0])
    cosines = cosines_of_z(table["z_direction"].to_numpy(), d_eff)
    given = cosines_of_z(np.array([z_given]), d_eff)
    found = conditional_scores(cosines, given, table["null_corr"].to_numpy(), d_eff)
    answer["z_given"] = np.where(found.distinct, found.z, np.nan)
    answer["log10_p_given"] = np.where(found.distinct, found.log10_p, np.nan)
    return answer.sort_values("z_given", ascending=False, kind="stable", ignore_index=True)


def joint(sets: list[dict[str, Any]], direction: NDArray[np.float32], U: NDArray[np.float32]) -> pd.DataFrame:
    """Return what membership in each set adds to a token's logit weight, the other sets held fixed.

    Args:
        sets: name, phrase and token_ids of each set.
        direction: The feature's direction, (d_model,).
        U: The unembedding, d_model x d_vocab.

    Returns:
        name, phrase, size, coefficient; the largest first.
    """
    matrix = SetMatrix.from_sets([row["token_ids"] for row in sets], U.shape[1])
    fit = joint_fit(U, matrix.offsets, matrix.token_ids, JOINT_RIDGE)
    return pd.DataFrame(
        {
            "name": [row["name"] for row in sets],
            "phrase": [row["phrase"] for row in sets],
            "size": matrix.sizes,
            "coefficient": joint_coefficients(direction[None, :], fit)[0],
        }
    ).sort_values("coefficient", ascending=False, kind="stable", ignore_index=True)
