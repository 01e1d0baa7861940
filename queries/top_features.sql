-- title: Features that promote a set most, by layer
-- param set text: set, by name or phrase
-- param per_sae integer = 5: features shown of each SAE
-- example: tsea query run top_features -p set=gerunds
select
    saes.layer, saes.name as sae, scores.feature, scores.z_direction as z, scores.log10_q, scores.es,
    features.top_tokens[:6] as top_tokens
from named_sets($set) as named
join scores on scores.set_id = named.set_id
join saes on saes.sae_id = scores.sae_id
join features on features.sae_id = scores.sae_id and features.feature = scores.feature
where scores.z_direction > 3
qualify row_number() over (partition by scores.sae_id order by scores.z_direction desc, scores.feature) <= $per_sae
order by saes.layer, saes.name, scores.z_direction desc
