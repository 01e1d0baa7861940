-- Every score with its names and with what follows from it. The leading edge: members at or before the peak of the running
-- sum (es > 0), or after its trough (es < 0).
create view scored as
with walked as (
    select
        saes.name as sae, scores.feature, token_sets.name as set_name, token_sets.family, token_sets.phrase,
        token_sets.size, scores.es, (scores.es / set_nulls.mean_abs_es)::float as nes, scores.peak_rank,
        round(
            (scores.es::double * token_sets.size * (models.d_vocab - token_sets.size)
            + scores.peak_rank::double * token_sets.size) / models.d_vocab
        )::integer as hits,
        scores.z_direction, scores.log10_p, scores.log10_q, scores.log10_p_es,
        scores.log10_p_es is not null and abs(scores.es::double) > set_nulls.threshold as log10_p_es_extrapolated,
        scores.log10_p_token, scores.sae_id, scores.set_id
    from scores
    join saes on saes.sae_id = scores.sae_id
    join models on models.model_id = saes.model_id
    join token_sets on token_sets.set_id = scores.set_id
    left join set_nulls on set_nulls.set_id = scores.set_id and set_nulls.processing = saes.processing
)
select
    sae, feature, set_name, family, phrase, size, es, nes, peak_rank, if(es >= 0, hits, size - hits) as leading_edge,
    z_direction, log10_p, log10_q, log10_p_es, log10_p_es_extrapolated, log10_p_token, sae_id, set_id
from walked
