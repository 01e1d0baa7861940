-- title: Sets that no feature of any layer promotes
-- about: Beside it what the unembedding can tell of the set: near chance means that it is not linearly readable.
-- param q number = 0.05: false-discovery rate
-- example: tsea query run unpromoted_sets -p q=0.01
with promoted as (
    select distinct scores.set_id from scores where scores.log10_q < log10($q) and scores.z_direction > 0
),
left_over as (
    select token_sets.* from token_sets anti join promoted on promoted.set_id = token_sets.set_id
),
best as (
    select scores.set_id, max(scores.z_direction) as highest_z
    from left_over
    join scores on scores.set_id = left_over.set_id
    group by scores.set_id
),
readable as (
    select set_nulls.set_id, max(set_nulls.decodability) as decodability from set_nulls group by set_nulls.set_id
)
select
    models.name as model, left_over.name as set_name, left_over.phrase, left_over.size, best.highest_z,
    readable.decodability
from left_over
join models on models.model_id = left_over.model_id
join best on best.set_id = left_over.set_id
left join readable on readable.set_id = left_over.set_id
order by best.highest_z desc nulls last, left_over.set_id
