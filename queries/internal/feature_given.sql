-- z of one feature for every set, and the correlation of each with the set given.
select scored.set_name as name, scored.phrase, scored.size, scored.z_direction, null_corr, d_eff
from scored
join saes using (sae_id)
join token_sets as given on given.model_id = saes.model_id and given.name = $given
join set_overlaps
    on set_overlaps.set_a = scored.set_id and set_overlaps.set_b = given.set_id
    and set_overlaps.processing = saes.processing
join set_nulls on set_nulls.set_id = scored.set_id and set_nulls.processing = saes.processing
where scored.sae = $sae and scored.feature = $feature and scored.z_direction is not null and null_corr is not null
order by scored.set_id
