-- SAEs in the store, with what was computed for them.
with counted as (
    select
        sae_id,
        count(*) as features,
        if(count(dead) = 0, null, count(*) filter (dead)) as dead,
        count(*) filter (zero_direction) as zero_direction
    from features
    group by sae_id
),
scored as (
    select sae_id, count(*) as sets, sum(n_scored)::bigint as scores from sae_sets group by sae_id
)
select
    models.name as model, saes.name as sae, saes.hook_point, saes.processing, saes.architecture,
    counted.features, counted.dead, counted.zero_direction, scored.sets, scored.scores, saes.kept as weights_kept
from saes
join models using (model_id)
join counted using (sae_id)
left join scored using (sae_id)
order by models.model_id, saes.sae_id
