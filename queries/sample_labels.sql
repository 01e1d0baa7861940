-- title: Labels drawn at random with the feature's strongest tokens, to judge by eye how many are right
-- about: The same seed draws the same labels.
-- param n integer = 20: labels drawn
-- param seed integer = 0: another seed draws others
-- param kind text = set: class, set or composite; null for any
-- param confidence text = null: only high, medium or low
-- param sae sae = null: only this SAE
-- example: tsea query run sample_labels -p n=20 -p confidence=high
select
    labelled.sae, labelled.feature, labelled.confidence, labelled.sentence, labelled.z, labelled.log10_q,
    labelled.top_share, if(labelled.z < 0, features.bottom_tokens, features.top_tokens)[:12] as strongest_tokens
from feature_labels as labelled
join features on features.sae_id = labelled.sae_id and features.feature = labelled.feature
where
    ($kind is null or labelled.kind = $kind)
    and ($confidence is null or labelled.confidence = $confidence)
    and ($sae is null or labelled.sae = $sae)
order by md5(concat_ws('|', $seed, labelled.sae, labelled.feature, labelled.rule, labelled.label, labelled.direction))
limit $n
