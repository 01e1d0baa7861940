-- What new labels would change of the stored ones.
with stored as (
    select labels.sae_id, labels.feature, labels.rule, labels.label, labels.direction, labels.confidence, labels.sentence
    from labels
),
fresh as (
    select
        fresh_labels.sae_id, fresh_labels.feature, fresh_labels.rule, fresh_labels.label, fresh_labels.direction,
        fresh_labels.confidence, fresh_labels.sentence
    from fresh_labels
)
select
    case when stored.sae_id is null then 'added' when fresh.sae_id is null then 'removed' else 'changed' end as change,
    coalesce(fresh.rule, stored.rule) as rule, saes.name as sae, coalesce(fresh.feature, stored.feature) as feature,
    coalesce(fresh.label, stored.label) as label, stored.confidence as confidence_before,
    fresh.confidence as confidence_after, coalesce(fresh.sentence, stored.sentence) as sentence
from stored
full join fresh
    on fresh.sae_id = stored.sae_id and fresh.feature = stored.feature and fresh.rule = stored.rule
    and fresh.label = stored.label and fresh.direction is not distinct from stored.direction
join saes on saes.sae_id = coalesce(fresh.sae_id, stored.sae_id)
where
    stored.sae_id is null or fresh.sae_id is null or fresh.sentence <> stored.sentence
    or fresh.confidence is distinct from stored.confidence
order by saes.sae_id, feature, rule, label
