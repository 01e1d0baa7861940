-- title: Features of high kurtosis that no set names
-- about: They do something to few tokens, and the library has no set for it.
-- param at_least number = 10: kurtosis
-- param limit integer = 50: features shown
-- example: tsea query run unlabelled_high_kurtosis -p at_least=8
select
    saes.name as sae, features.feature, features.kurtosis, features.skewness,
    if(features.skewness >= 0, features.top_tokens, features.bottom_tokens)[:8] as strongest_tokens,
    token_sets.phrase as nearest_set, near_misses.z, near_misses.log10_q, near_misses.why
from near_misses
join features on features.sae_id = near_misses.sae_id and features.feature = near_misses.feature
join saes on saes.sae_id = near_misses.sae_id
join token_sets on token_sets.set_id = near_misses.set_id
where features.kurtosis >= $at_least
order by features.kurtosis desc, saes.sae_id, features.feature
limit $limit
