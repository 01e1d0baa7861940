-- SAEs in the store, with what was computed for them.
select
    models.name as model,
    saes.name as sae,
    saes.hook_point,
    saes.processing,
    saes.architecture,
    count(*) as features,
    count(*) filter (features.dead) as dead,
    count(*) filter (features.zero_direction) as zero_direction,
    any_value(scored.n_sets) as sets,
    any_value(scored.n_scores) as scores,
    saes.kept as weights_kept
from saes
join models using (model_id)
join features using (sae_id)
left join (
    select sae_id, count(*) as n_sets, sum(n_scored)::bigint as n_scores from sae_sets group by sae_id
) as scored using (sae_id)
group by all
order by models.model_id, saes.sae_id
