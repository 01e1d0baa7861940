-- title: Sets that many features of an SAE move, by layer
-- about: lambda is 1 for random directions; above 2 is a background set, whose labels need a deviation above 3.
-- param at_least number = 2: lambda
-- example: tsea query run sets_by_lambda
select
    saes.layer, saes.name as sae, token_sets.name as set_name, token_sets.phrase, token_sets.size,
    sae_sets."lambda" as "lambda", sae_sets.null_median, sae_sets.null_mad
from sae_sets
join saes on saes.sae_id = sae_sets.sae_id
join token_sets on token_sets.set_id = sae_sets.set_id
where sae_sets."lambda" >= $at_least
order by saes.layer, saes.sae_id, sae_sets."lambda" desc
