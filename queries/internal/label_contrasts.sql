-- Features that meet a rule on one set of a declared contrast, and on that set given the other one.
insert into firing by name
select
    $rule as rule, meeting.sae_id, meeting.feature, meeting.set_id, contrasts.set_b as given_id, meeting.z_direction as z,
    meeting.log10_q, meeting.es, meeting.nes, given.z_a_given_b as given_z, given.log10_q as given_log10_q
from meeting
join contrasts on contrasts.set_a = meeting.set_id
join contrast_scores as given
    on given.contrast_id = contrasts.contrast_id
    and given.sae_id = meeting.sae_id
    and given.feature = meeting.feature
where meeting.part = 0 and given.z_a_given_b * $sign > 0 and /* given */ true and /* where */ true
