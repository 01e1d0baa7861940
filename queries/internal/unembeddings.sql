-- Unembeddings of the store, and where they are kept.
select models.model_id, models.name as model, processing, content_hash, kept
from unembeddings
join models using (model_id)
where ($model is null or models.name = $model) and ($processing is null or processing = $processing)
order by model_id, processing
