-- Overlap of one token set with every other set of its model, the nearest in direction first.
select
    models.name as model, set_overlaps.processing, other.name, other.size,
    intersection, jaccard, overlap_coefficient, null_corr
from token_sets
join set_overlaps on set_overlaps.set_a = token_sets.set_id
join token_sets as other on other.set_id = set_overlaps.set_b
join models on models.model_id = token_sets.model_id
where token_sets.name = $name and ($model is null or models.name = $model)
order by models.model_id, set_overlaps.processing, abs(null_corr) desc nulls last, other.set_id
