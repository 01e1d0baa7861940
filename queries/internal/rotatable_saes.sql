-- SAEs of a model under a processing whose decoder directions are kept.
select name, directions_hash
from saes
where model_id = $model_id and processing = $processing and kept
order by sae_id
