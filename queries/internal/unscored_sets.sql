-- Token sets that were left out of scoring, and why.
select models.name as model, unscored_sets.name, family, size, reason
from unscored_sets
join models using (model_id)
where ($model is null or models.name = $model) and ($family is null or family = $family)
