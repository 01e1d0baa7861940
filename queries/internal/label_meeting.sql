-- Features whose score on one of some sets meets a rule: one row for each feature and set.
insert into meeting
select
    $part as part, scored.sae_id, scored.feature, scored.set_id, scored.z_direction, scored.log10_q, scored.es, scored.nes
from scored
join wanted_sets on wanted_sets.set_id = scored.set_id and wanted_sets.part = $part
join sae_sets on sae_sets.sae_id = scored.sae_id and sae_sets.set_id = scored.set_id
join saes on saes.sae_id = scored.sae_id
left join set_nulls on set_nulls.set_id = scored.set_id and set_nulls.processing = saes.processing
where
    scored.z_direction * $sign > 0
    and (
        sae_sets."lambda" is null or sae_sets."lambda" <= $background_lambda
        or abs(scored.z_direction - sae_sets.null_median) > $background_deviation * sae_sets.null_mad
    )
    and /* where */ true
