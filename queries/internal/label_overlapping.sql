-- Features that set rules fired on for several sets, with the cosine that each z stands for: what may be redundant.
with distinct_pairs as (
    select distinct firing.sae_id, firing.feature, firing.set_id, firing.z
    from firing
    join named_rules on named_rules.rule = firing.rule and named_rules.kind = 'set'
)
select
    distinct_pairs.sae_id, distinct_pairs.feature, distinct_pairs.set_id,
    cosine_from_z(distinct_pairs.z::double, moment_nulls.d_eff) as cosine, moment_nulls.d_eff, saes.model_id, saes.processing
from distinct_pairs
join saes on saes.sae_id = distinct_pairs.sae_id
join moment_nulls on moment_nulls.model_id = saes.model_id and moment_nulls.processing = saes.processing
qualify count(*) over (partition by distinct_pairs.sae_id, distinct_pairs.feature) > 1
order by distinct_pairs.sae_id, distinct_pairs.feature, distinct_pairs.set_id
