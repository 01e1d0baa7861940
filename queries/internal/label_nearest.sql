-- Features that no set names, each with the set it is nearest to; of sets with the same z the one entered first.
create or replace temp table nearest as
with unnamed as (
    select features.sae_id, features.feature
    from features
    where features.std is not null and not exists (
        from firing
        where firing.sae_id = features.sae_id and firing.feature = features.feature and firing.set_id is not null
    )
)
select
    scores.sae_id, scores.feature,
    arg_max(scores.set_id, abs(scores.z_direction)::double - scores.set_id * 1e-12) as set_id,
    arg_max(scores.z_direction, abs(scores.z_direction)::double - scores.set_id * 1e-12) as z
from scores
semi join unnamed on unnamed.sae_id = scores.sae_id and unnamed.feature = scores.feature
where scores.z_direction is not null
group by scores.sae_id, scores.feature
