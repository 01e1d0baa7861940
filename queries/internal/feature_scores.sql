-- All scores of one feature, the most promoted set first.
-- members_on_top: members among the twenty highest tokens (z >= 0), or among the twenty lowest (z < 0).
with listed as (
    select top_token_ids, bottom_token_ids
    from features
    join saes using (sae_id)
    where saes.name = $sae and feature = $feature
),
of_the_feature as (
    from scored where sae = $sae and feature = $feature
),
on_top as (
    select set_id, count(*) as members_on_top
    from of_the_feature
    join memberships using (set_id)
    cross join listed
    where list_contains(if(coalesce(z_direction, es) >= 0, top_token_ids, bottom_token_ids), token_id)
    group by set_id
)
select
    set_name as name, family, phrase, size, z_direction, log10_q, es, nes,
    coalesce(members_on_top, 0) as members_on_top, leading_edge, peak_rank,
    log10_p, log10_p_es, log10_p_es_extrapolated, log10_p_token
from of_the_feature
left join on_top using (set_id)
order by z_direction desc nulls last, es desc, set_id
