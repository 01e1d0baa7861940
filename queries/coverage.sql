-- title: How many features of each SAE are named
-- about: "named" counts features with a set or composite label; grades count a feature by its surest label.
-- example: tsea query run coverage
with surest as (
    select
        labels.sae_id, labels.feature,
        min(case labels.confidence when 'high' then 1 when 'medium' then 2 else 3 end) as grade
    from labels
    where labels.kind <> 'class'
    group by labels.sae_id, labels.feature
)
select
    saes.layer, saes.name as sae, count(*) as features, count(features.std) as scored, count(surest.grade) as named,
    count(surest.grade) / count(features.std) as share_named, count(*) filter (surest.grade = 1) as high,
    count(*) filter (surest.grade = 2) as medium, count(*) filter (surest.grade = 3) as low
from features
join saes on saes.sae_id = features.sae_id
left join surest on surest.sae_id = features.sae_id and surest.feature = features.feature
group by saes.layer, saes.sae_id, saes.name
order by saes.layer, saes.sae_id
