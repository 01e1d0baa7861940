-- SAEs in the store, with what was computed for them.
-- controls_*: mean share of features with p < 0.05 over the random control sets.
with counted as (
    select
        sae_id,
        count(*) as features,
        if(count(dead) = 0, null, count(*) filter (dead)) as dead,
        count(*) filter (zero_direction) as zero_direction
    from features
    group by sae_id
),
scored_sets as (
    select
        sae_id, count(*) as sets, sum(n_scored)::bigint as scores,
        count(*) filter (null_median is null and reason is null) as sets_without_statistics
    from sae_sets
    group by sae_id
),
controls as (
    select
        sae_id, avg(share_p_direction) as controls_direction, avg(share_p_es) as controls_es,
        avg(share_p_token) as controls_token
    from control_scores
    group by sae_id
)
select
    models.name as model, saes.name as sae, saes.hook_point, saes.processing, saes.architecture,
    counted.features, counted.dead, counted.zero_direction, scored_sets.sets, scored_sets.scores,
    scored_sets.sets_without_statistics, controls_direction, controls_es, controls_token, saes.kept as weights_kept
from saes
join models using (model_id)
join counted using (sae_id)
left join scored_sets using (sae_id)
left join controls using (sae_id)
order by models.model_id, saes.sae_id
