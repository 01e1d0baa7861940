-- Where the weights of an SAE are kept.
select
    saes.d_sae,
    saes.source,
    saes.directions_hash,
    saes.kept as directions_kept,
    unembeddings.content_hash as unembedding_hash,
    unembeddings.kept as unembedding_kept
from saes
join unembeddings using (model_id, processing)
where saes.name = $sae
