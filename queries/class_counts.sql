-- title: Feature classes by layer
-- about: As labelled, and what the two presets of thresholds would count.
-- example: tsea query run class_counts
with counted as (
    select feature_classes.sae_id, feature_classes.class, 'labels' as source, count(*) as n
    from feature_classes
    group by all
    union all
    select sae_id, random_directions, 'random_directions', count(*) from feature_shapes group by all
    union all
    select sae_id, published, 'published', count(*) from feature_shapes group by all
)
select
    saes.layer, saes.name as sae, counted.class,
    coalesce(sum(counted.n) filter (counted.source = 'labels'), 0)::bigint as labelled,
    coalesce(sum(counted.n) filter (counted.source = 'random_directions'), 0)::bigint as random_directions,
    coalesce(sum(counted.n) filter (counted.source = 'published'), 0)::bigint as published
from counted
join saes on saes.sae_id = counted.sae_id
where counted.class is not null
group by saes.layer, saes.name, counted.class
order by saes.layer, saes.name, counted.class
