-- title: Unnamed features that came nearest to a label
-- param sae sae = null: only this SAE
-- param limit integer = 50: features shown
-- example: tsea query run near_misses -p limit=10
select
    saes.name as sae, near_misses.feature, near_misses.direction, token_sets.phrase, near_misses.z, near_misses.log10_q,
    near_misses.es, near_misses.why,
    if(near_misses.z > 0, features.top_tokens, features.bottom_tokens)[:6] as strongest_tokens
from near_misses
join saes on saes.sae_id = near_misses.sae_id
join token_sets on token_sets.set_id = near_misses.set_id
join features on features.sae_id = near_misses.sae_id and features.feature = near_misses.feature
where $sae is null or saes.name = $sae
order by abs(near_misses.z) desc, saes.sae_id, near_misses.feature
limit $limit
