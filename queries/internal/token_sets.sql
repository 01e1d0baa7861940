-- Token sets of the store, in order of entry. Stale: SAEs with scores of members the set no longer has.
select
    models.name as model, token_sets.name, family, phrase, size, token_sets.definition, token_sets.source, version,
    count(sae_sets.sae_id) filter (sae_sets.content_hash <> token_sets.content_hash) as stale
from token_sets
join models using (model_id)
left join sae_sets using (set_id)
where ($model is null or models.name = $model) and ($family is null or family = $family)
group by models.name, token_sets.set_id, token_sets.name, family, phrase, size, token_sets.definition,
    token_sets.source, version
order by token_sets.set_id
