-- title: Sets that no feature of any layer promotes
-- about: Beside it what the unembedding can tell of the set: near chance means that it is not linearly readable.
-- param q number = 0.05: false-discovery rate
-- example: tsea query run unpromoted_sets -p q=0.01
with best as (
    select
        scores.set_id, max(scores.z_direction) as highest_z,
        count(*) filter (scores.z_direction > 0 and scores.log10_q < log10($q)) as promoting
    from scores
    group by scores.set_id
),
readable as (
    select set_nulls.set_id, max(set_nulls.decodability) as decodability from set_nulls group by set_nulls.set_id
)
select
    models.name as model, token_sets.name as set_name, token_sets.phrase, token_sets.size, best.highest_z,
    readable.decodability
from best
join token_sets on token_sets.set_id = best.set_id
join models on models.model_id = token_sets.model_id
left join readable on readable.set_id = best.set_id
where best.promoting = 0
order by best.highest_z desc nulls last, token_sets.set_id
