-- Scores of an SAE, a set or a feature.
select scored.* exclude (sae_id, set_id)
from scored
where
    ($sae is null or scored.sae = $sae)
    and ($feature is null or scored.feature = $feature)
    and /* set */ true
order by scored.sae_id, scored.set_id, scored.feature
