-- Cosines of the directions of all pairs of some model's sets.
select set_overlaps.set_a, set_overlaps.set_b, coalesce(set_overlaps.null_corr, 0) as null_corr
from set_overlaps
where set_overlaps.model_id = $model_id and set_overlaps.processing = $processing
