-- All scores of one feature, the most promoted set first.
-- The leading edge: members at or before the peak of the running sum (es > 0), or after its trough (es < 0).
with walked as (
    select
        token_sets.name, family, phrase, size, es, peak_rank,
        round((es::double * size * (d_vocab - size) + peak_rank::double * size) / d_vocab)::integer as hits
    from scores
    join saes using (sae_id)
    join models using (model_id)
    join token_sets using (set_id)
    where saes.name = $sae and feature = $feature
)
select name, family, phrase, size, es, peak_rank, if(es >= 0, hits, size - hits) as leading_edge
from walked
order by es desc
