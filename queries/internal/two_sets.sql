-- z of all features of an SAE for two sets, and the correlation of the two.
select a.feature, a.z_direction as z_a, b.z_direction as z_b, null_corr, d_eff
from scored as a
join scored as b using (sae_id, feature)
join saes using (sae_id)
join set_overlaps
    on set_overlaps.set_a = a.set_id and set_overlaps.set_b = b.set_id and set_overlaps.processing = saes.processing
join set_nulls on set_nulls.set_id = a.set_id and set_nulls.processing = saes.processing
where a.sae = $sae and a.set_name = $a and b.set_name = $b
    and a.z_direction is not null and b.z_direction is not null
order by a.feature
