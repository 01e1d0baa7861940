-- Features enriched for one token set but not for another, strongest first.
select
    saes.name as sae,
    wanted.feature,
    wanted.es as es_enriched,
    other.es as es_but_not,
    features.top_tokens[:6] as top_tokens
from scores as wanted
join token_sets as wanted_set on wanted_set.set_id = wanted.set_id and wanted_set.name = $enriched
join scores as other on other.sae_id = wanted.sae_id and other.feature = wanted.feature
join token_sets as other_set
    on other_set.set_id = other.set_id and other_set.name = $but_not and other_set.model_id = wanted_set.model_id
join saes on saes.sae_id = wanted.sae_id
join features on features.sae_id = wanted.sae_id and features.feature = wanted.feature
where wanted.es >= $at_least and other.es < $below
order by saes.sae_id, wanted.es desc
