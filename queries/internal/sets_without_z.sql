-- Token sets whose scores have no z, p or q, or no p of the enrichment score, and why.
select models.name as model, set_nulls.processing, token_sets.name, family, size, coalesce(reason, es_reason) as reason
from set_nulls
join token_sets using (set_id)
join models on models.model_id = set_nulls.model_id
where coalesce(reason, es_reason) is not null
order by set_nulls.model_id, set_nulls.processing, set_id
