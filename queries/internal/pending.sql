-- Pairs of SAE and token set that have no scores, or scores of members the set no longer has.
select
    count(*) filter (sae_sets.set_id is null) as missing,
    count(*) filter (sae_sets.content_hash <> token_sets.content_hash) as stale
from saes
join token_sets using (model_id)
left join sae_sets on sae_sets.sae_id = saes.sae_id and sae_sets.set_id = token_sets.set_id
