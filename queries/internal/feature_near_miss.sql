-- What an unnamed feature came nearest to.
select
    near_misses.direction, token_sets.name as set_name, token_sets.phrase, near_misses.z, near_misses.log10_q, near_misses.es,
    near_misses.why
from near_misses
join saes on saes.sae_id = near_misses.sae_id
join token_sets on token_sets.set_id = near_misses.set_id
where saes.name = $sae and near_misses.feature = $feature
