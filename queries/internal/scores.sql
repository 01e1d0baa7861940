-- Scores of an SAE, a set or a feature.
select scored.* exclude (sae_id, set_id)
from scored
where
    ($sae is null or scored.sae = $sae)
    and ($feature is null or scored.feature = $feature)
    and ($token_set is null or scored.set_id in (select named.set_id from named_sets(coalesce($token_set, '')) as named))
order by scored.sae_id, scored.set_id, scored.feature
