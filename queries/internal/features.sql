-- Features with the moments of their logit weights, of one SAE or layer or of all.
select feature_columns.* exclude (sae_id)
from feature_columns
where ($sae is null or feature_columns.sae = $sae) and ($layer is null or feature_columns.layer = $layer)
order by feature_columns.sae_id, feature_columns.feature
