-- SAEs whose weights were kept, with their unembedding.
select
    saes.name, saes.model_id, saes.processing, saes.directions_hash, unembeddings.content_hash as unembedding_hash
from saes
join unembeddings on unembeddings.model_id = saes.model_id and unembeddings.processing = saes.processing
where saes.kept and unembeddings.kept
order by saes.model_id, saes.processing, saes.sae_id
