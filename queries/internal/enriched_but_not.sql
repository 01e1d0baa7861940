-- Features enriched for one token set but not for another, those that also top the evidence set first.
-- An enrichment score says that a set is shifted; members among the strongest tokens say that it is on top.
with evidence as (
    select model_id, list(token_id) as token_ids
    from token_sets
    join memberships using (set_id)
    where token_sets.name = $evidence
    group by model_id
)
select
    saes.name as sae,
    wanted.feature,
    wanted.es as es_enriched,
    other.es as es_but_not,
    len(list_intersect(features.top_token_ids, evidence.token_ids))::integer as evidence_in_top_20,
    features.top_tokens[:6] as top_tokens
from scores as wanted
join token_sets as wanted_set on wanted_set.set_id = wanted.set_id and wanted_set.name = $enriched
join evidence on evidence.model_id = wanted_set.model_id
join scores as other on other.sae_id = wanted.sae_id and other.feature = wanted.feature
join token_sets as other_set
    on other_set.set_id = other.set_id and other_set.name = $but_not and other_set.model_id = wanted_set.model_id
join saes on saes.sae_id = wanted.sae_id
join features on features.sae_id = wanted.sae_id and features.feature = wanted.feature
where wanted.es >= $at_least and other.es < $below
order by evidence_in_top_20 desc, wanted.es desc, saes.sae_id, wanted.feature
