-- Token sets of the model of an SAE, with their members.
select token_sets.set_id, token_sets.name, phrase, list(token_id order by token_id) as token_ids
from saes
join token_sets using (model_id)
join memberships using (set_id)
where saes.name = $sae
group by token_sets.set_id, token_sets.name, phrase
order by token_sets.set_id
