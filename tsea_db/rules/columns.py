"""What a rule can ask about: columns of features and of scores, with the type of threshold each takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Threshold(StrEnum):
    """What a column is compared with."""

    NUMBER = "number"
    TRUTH = "true or false"
    TEXT = "text"


@dataclass(frozen=True)
class RuleColumn:
    """A column that conditions can name.

    Attributes:
        threshold: What it is compared with.
        meaning: One line for a person.
    """

    threshold: Threshold
    meaning: str


def _numbers(**meanings: str) -> dict[str, RuleColumn]:
    return {name: RuleColumn(Threshold.NUMBER, meaning) for name, meaning in meanings.items()}


FEATURE_COLUMNS: dict[str, RuleColumn] = {
    **_numbers(
        mean="mean logit weight",
        std="standard deviation of the logit weights",
        skewness="skewness of the logit weights",
        kurtosis="kurtosis of the logit weights (a normal has 3)",
        kurtosis_ratio="(kurtosis - 3) / (Q - 3), Q the 0.999 quantile of random directions",
        cosine_variance="variance over the vocabulary of the cosine with the unembedding's columns",
        cos_var_ratio="d_eff * cosine_variance: a random direction has 1",
        cos_var_null_ratio="cos_var_ratio over the 0.999 quantile of random directions",
        decoder_norm="norm of the decoder row",
        log10_density="log10 of the share of tokens that the feature fires on",
        layer="layer of the hook point",
    ),
    "dead": RuleColumn(Threshold.TRUTH, "it never fires"),
    "zero_direction": RuleColumn(Threshold.TRUTH, "it has no effect on the logits"),
    "sae": RuleColumn(Threshold.TEXT, "name of the SAE"),
    "hook_point": RuleColumn(Threshold.TEXT, "where the SAE writes"),
}
"""Columns of the view ``feature_columns``."""

SCORE_COLUMNS: dict[str, RuleColumn] = {
    **_numbers(
        z_direction="z under the random-direction null",
        log10_p="its two-sided p",
        log10_q="its false-discovery rate over the features of one SAE and set",
        es="enrichment score",
        nes="enrichment score over its mean size for random directions",
        log10_p_es="p of the enrichment score under the random-direction null",
        log10_p_token="p of the enrichment score under the random-token null: a baseline, no evidence",  # noqa: S106 - no password
        peak_rank="tokens walked to the peak of the running sum",
        leading_edge="members before the peak, or from the trough on",
        size="members of the set",
        deviation="|z - median| / MAD over the features of the SAE",
        decodability="multiple correlation of membership with the unembedding",
        top_share="members among the strongest min(20, k) tokens over min(20, k), corrected for chance",
    ),
    "lambda": RuleColumn(Threshold.NUMBER, "inflation of z over the features of the SAE: above 2 a background set"),
    "family": RuleColumn(Threshold.TEXT, "family of the set"),
}
"""Columns that conditions of set and composite rules can name."""

GIVEN_COLUMNS: dict[str, RuleColumn] = _numbers(
    given_z="z of the set given the other one",
    given_log10_q="its false-discovery rate over the features of one SAE",
)
"""Columns that composite rules with ``given`` or ``contrasts`` have besides."""

ANNOTATION = RuleColumn(Threshold.NUMBER, "a number that was stored with store.annotate")
