-- The near misses in words: what each lacks.
select
    scored.sae_id, scored.feature, scored.set_id, if(scored.z_direction > 0, 'promotes', 'suppresses') as direction,
    scored.z_direction as z, scored.log10_q, scored.es, scored.nes,
    concat_ws(
        '; ',
        if(sae_sets."lambda" > $background_lambda
            and abs(scored.z_direction - sae_sets.null_median) <= $background_deviation * sae_sets.null_mad,
            printf('a background set: deviation %.3g of %g', abs(scored.z_direction - sae_sets.null_median)
                / sae_sets.null_mad, $background_deviation), null),
        /* why */ null
    ) as why
from nearest
join scored on scored.sae_id = nearest.sae_id and scored.feature = nearest.feature and scored.set_id = nearest.set_id
join sae_sets on sae_sets.sae_id = nearest.sae_id and sae_sets.set_id = nearest.set_id
join saes on saes.sae_id = nearest.sae_id
join shares on shares.sae_id = nearest.sae_id and shares.feature = nearest.feature and shares.set_id = nearest.set_id
left join set_nulls on set_nulls.set_id = nearest.set_id and set_nulls.processing = saes.processing
order by scored.sae_id, scored.feature
