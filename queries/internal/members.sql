-- Members of a token set.
select models.name as model, token_id, tokens.text
from token_sets
join models using (model_id)
join memberships using (set_id)
join tokens using (model_id, token_id)
where token_sets.name = $name and ($model is null or models.name = $model)
order by models.model_id, token_id
