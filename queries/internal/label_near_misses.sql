-- Features that no set names, each with the set it is nearest to and what that lacks.
with unnamed as (
    select features.sae_id, features.feature
    from features
    where features.std is not null and not exists (
        from firing
        where firing.sae_id = features.sae_id and firing.feature = features.feature and firing.set_id is not null
    )
),
strongest as (
    /* of sets with the same members, and so the same z, the one entered first */
    select
        scores.sae_id, scores.feature,
        arg_max(scores.set_id, abs(scores.z_direction)::double - scores.set_id * 1e-12) as set_id
    from scores
    where scores.z_direction is not null
    group by scores.sae_id, scores.feature
)
select
    scored.sae_id, scored.feature, scored.set_id, if(scored.z_direction > 0, 'promotes', 'suppresses') as direction,
    scored.z_direction as z, scored.log10_q, scored.es, scored.nes,
    concat_ws(
        '; ',
        if(sae_sets."lambda" > $background_lambda
            and abs(scored.z_direction - sae_sets.null_median) <= $background_deviation * sae_sets.null_mad,
            printf('a background set: deviation %.2g of %g', abs(scored.z_direction - sae_sets.null_median)
                / sae_sets.null_mad, $background_deviation), null),
        /* why */ null
    ) as why
from unnamed
join strongest on strongest.sae_id = unnamed.sae_id and strongest.feature = unnamed.feature
join scored
    on scored.sae_id = strongest.sae_id and scored.feature = strongest.feature and scored.set_id = strongest.set_id
join sae_sets on sae_sets.sae_id = strongest.sae_id and sae_sets.set_id = strongest.set_id
join saes on saes.sae_id = strongest.sae_id
left join set_nulls on set_nulls.set_id = strongest.set_id and set_nulls.processing = saes.processing
order by scored.sae_id, scored.feature
