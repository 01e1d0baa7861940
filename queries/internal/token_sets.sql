-- Token sets of the store, in catalogue order.
select models.name as model, token_sets.name, family, phrase, size, token_sets.definition, token_sets.source, version
from token_sets
join models using (model_id)
where ($model is null or models.name = $model) and ($family is null or family = $family)
order by set_id
